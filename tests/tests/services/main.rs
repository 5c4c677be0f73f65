//! Connected services, as they run in production, over the fake services: what third parties send,
//! through crashes and repetitions; the access tokens that calls to them carry; and the rights that
//! both take.

mod calls;
mod changes;
mod inbound;
mod leases;
mod oauth;
mod rights;
mod tokens;
