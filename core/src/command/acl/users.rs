//! All users of an engine.

use super::audit::Audit;
use super::file::AclStore;
use super::log::Log;
use super::user::{DEFAULT, User};
use crate::error::Error;
use crate::secret::{Digest, Source};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Table = BTreeMap<Box<[u8]>, Arc<User>>;

/// All users, and what was refused to them.
pub(crate) struct Users {
    table: RwLock<Table>,
    /// How often a user or what users may in general has changed. A session looks at it before each
    /// batch, and its user again if it differs.
    changes: AtomicU64,
    next_id: AtomicU64,
    pub(super) log: Mutex<Log>,
    pub(super) passwords: Source,
    pub(super) store: Option<Box<dyn AclStore>>,
    pub(crate) audit: Audit,
}

impl Users {
    /// The default user alone. Without a secret, passwords follow from the seed.
    pub(crate) fn new(
        secret: Option<[u8; 32]>,
        seed: u64,
        store: Option<Box<dyn AclStore>>,
    ) -> Self {
        let default = Arc::new(User::all_powerful(0));
        Self {
            table: RwLock::new(BTreeMap::from([(DEFAULT.into(), default)])),
            changes: AtomicU64::new(1),
            next_id: AtomicU64::new(1),
            log: Mutex::default(),
            passwords: secret.map_or_else(|| Source::from_seed(seed), Source::new),
            store,
            audit: Audit::default(),
        }
    }

    /// Whether the host keeps the users.
    pub(super) fn has_store(&self) -> bool {
        self.store.is_some()
    }

    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Lets every session look again at what it may.
    pub(crate) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<Arc<User>> {
        self.table.read().get(name).cloned()
    }

    pub(crate) fn default_user(&self) -> Arc<User> {
        self.find(DEFAULT).expect("the default user cannot be removed")
    }

    /// All users in the order of their names.
    pub(super) fn all(&self) -> Vec<Arc<User>> {
        self.table.read().values().cloned().collect()
    }

    /// A user who is not known yet.
    pub(super) fn fresh(&self, name: &[u8], all_channels: bool) -> User {
        User::new(self.next_id.fetch_add(1, Ordering::Relaxed), name, all_channels)
    }

    /// Changes a user by rules, all or none, and makes one if there is none of this name. Returns
    /// the user before and after.
    pub(super) fn change<W: AsRef<[u8]>>(
        &self,
        name: &[u8],
        rules: &[W],
        all_channels: bool,
    ) -> Result<(Option<Arc<User>>, Arc<User>), Error> {
        let mut table = self.table.write();
        let before = table.get(name).cloned();
        let after = match &before {
            Some(user) => user.with_rules(rules, all_channels)?,
            None => self.fresh(name, all_channels).with_rules(rules, all_channels)?,
        };
        let after = Arc::new(after);
        table.insert(name.into(), after.clone());
        self.note_change();
        Ok((before, after))
    }

    /// Removes a user. The caller has seen to it that it is not the default one.
    pub(super) fn remove(&self, name: &[u8]) -> bool {
        let removed = self.table.write().remove(name).is_some();
        if removed {
            self.note_change();
        }
        removed
    }

    /// Gives the default user one password, or none to ask for.
    pub(crate) fn set_default_password(&self, password: Option<Digest>) {
        let mut table = self.table.write();
        if let Some(user) = table.get_mut(DEFAULT) {
            *user = Arc::new(user.with_password(password));
        }
        self.note_change();
    }

    /// Puts other users in the place of all. Those who stay by name are the same to their sessions,
    /// and the default user stays in any case.
    pub(super) fn replace(&self, users: Vec<User>) -> Vec<Arc<User>> {
        let mut table = self.table.write();
        let mut next = Table::new();
        for mut user in users {
            if let Some(before) = table.get(&user.name) {
                user.id = before.id;
            }
            next.insert(user.name.clone(), Arc::new(user));
        }
        next.entry(DEFAULT.into()).or_insert_with(|| Arc::new(User::all_powerful(0)));
        let before = std::mem::replace(&mut *table, next);
        self.note_change();
        before.into_values().collect()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("table", &self.table.read()).finish_non_exhaustive()
    }
}
