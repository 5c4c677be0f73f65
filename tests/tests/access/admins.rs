//! However admins end one another's access, somebody keeps it.

use domain::{credential::Credential, scope::Scope, user::User};
use platform::table::WriteError;

use crate::{
    invariants,
    office::{Office, day, entry},
};

/// What one of two does to the other at the same time: both have read before either writes.
#[derive(Debug, Clone, Copy)]
enum End {
    Revoke,
    Delete,
    Deactivate,
}

/// Ends the access of `victim`, whose credential is as it was `read`; `other` was found to stay.
async fn end(office: &Office, how: End, victim: &User, read: &Credential) -> Result<(), WriteError> {
    let table = office.table();
    let other = table.another_admin(|one| one.settings.user_id == victim.id, day(1)).await.expect("read");
    let entry = entry(&read.id);
    let holder = office.holder(victim).await;
    tokio::task::yield_now().await;
    match how {
        End::Revoke => table.update_credential(read, &read.clone().revoked(day(1)), other, day(1), Some(&entry)).await,
        End::Delete => table.delete_credential(read, other, day(1), &entry).await,
        End::Deactivate => {
            let mut settings = holder.user.settings.clone();
            settings.active = false;
            table.update_user(&holder, &holder.user.clone().changed(settings, day(1)), other, &entry).await
        }
    }
}

#[tokio::test]
async fn of_two_who_end_each_other_one_stays() {
    for first in [End::Revoke, End::Delete, End::Deactivate] {
        for second in [End::Revoke, End::Delete, End::Deactivate] {
            let office = Office::new().await;
            let eve = office.user("Eve").await;
            let (ana, anas) = (&office.user, office.credential(&office.user, &[Scope::Admin], day(0)).await);
            let eves = office.credential(&eve, &[Scope::Admin], day(0)).await;
            let both = futures::future::join(end(&office, first, &eve, &eves), end(&office, second, ana, &anas));
            let (a, b) = both.await;
            let left = office.table().another_admin(|_| false, day(1)).await.expect("read");
            assert!(left.is_some(), "{first:?} and {second:?}: {a:?} and {b:?}");
            assert!(a.is_ok() != b.is_ok(), "{first:?} and {second:?}: {a:?} and {b:?}");
            invariants::check(&office, day(1)).await;
        }
    }
}

#[tokio::test]
async fn of_two_credentials_of_one_user_one_stays() {
    for deleted in [false, true] {
        let office = Office::new().await;
        let one = office.credential(&office.user, &[Scope::Admin], day(0)).await;
        let two = office.credential(&office.user, &[Scope::Admin], day(0)).await;
        let table = office.table();
        let other = |of: &Credential| {
            let id = of.id;
            async move { table.another_admin(move |one| one.id == id, day(1)).await.expect("read") }
        };
        let (beside_one, beside_two) = (other(&one).await, other(&two).await);
        assert!(beside_one.is_some() && beside_two.is_some());
        let entries = (entry(&one.id), entry(&two.id));
        let ended = if deleted {
            table.delete_credential(&one, beside_one, day(1), &entries.0).await
        } else {
            table.update_credential(&one, &one.clone().revoked(day(1)), beside_one, day(1), Some(&entries.0)).await
        };
        ended.expect("ended");
        let refused = table.delete_credential(&two, beside_two, day(1), &entries.1).await;
        assert!(matches!(refused, Err(WriteError::Changed)), "{refused:?}");
        invariants::check(&office, day(1)).await;
    }
}
