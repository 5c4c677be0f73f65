//! The contract through the whole stack: HTTP, functions, table, queues, receivers. One binary, so that one stack does.

mod webhooks;
