//! What C chooses when it opens an engine, checked and made into core's options.

use crate::boundary::{Outcome, Refusal, require, shared, text};
use crate::clock::{ClockFree, ClockFunction, HostClock, ManualClock};
use crate::status::Status;
use keyslot::EngineOptions;
use keyslot::slot::SlotScheme;
use keyslot::time::Clock;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The most databases that the core knows.
const DATABASES_MAX: u32 = 65_535;

/// How keys map to slots.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotSchemeNumber {
    /// 16,384 slots by CRC16 of the key or its hash tag, as Redis Cluster.
    Redis = 0,
    /// 1,024 slots by CRC32 of the key or its hash tag, as Codis.
    Codis = 1,
}

/// How an engine is made. Fill it with zeros, set `size` to `sizeof(keyslot_options)`, then set
/// what shall differ from the default: zero stands for the default everywhere. Later versions of
/// the library may know more fields; `size` tells them which ones the caller knows.
#[repr(C)]
pub struct Options {
    /// The size of this struct as the caller knows it, in bytes.
    pub size: usize,
    /// Locks over the keyspace: a power of two, 1 to the number of slots. More locks let more
    /// threads work at once; each costs 128 bytes. Default: 1,024.
    pub shards: usize,
    /// How keys map to slots: a `keyslot_slot_scheme`.
    pub scheme: u32,
    /// Databases that SELECT can choose, 1 to 65,535. Default: 16.
    pub databases: u32,
    /// What chance is derived from. Two engines with the same seed, clock and input give the same
    /// output. Default: zero; a host that faces strangers gives a secret.
    pub seed: u64,
    /// A clock that is moved by hand, in place of the operating system's. The engine keeps a hold
    /// of its own.
    pub manual_clock: *const ManualClock,
    /// A clock of the host's, in place of the operating system's.
    pub clock: ClockFunction,
    /// What `clock` is called with.
    pub clock_data: *mut c_void,
    /// Called once with `clock_data` when the engine and all its sessions are freed, or null. If
    /// the engine cannot be opened, `clock_data` stays the caller's.
    pub clock_free: ClockFree,
    /// Settings by their CONFIG names, applied in order: names and values in turn, each ended by a
    /// NUL. Null if there are none.
    pub settings: *const *const c_char,
    /// How many settings there are: half as many as `settings` leads to texts.
    pub settings_count: usize,
}

impl Options {
    pub(crate) const DEFAULT: Self = Self {
        size: size_of::<Self>(),
        shards: 0,
        scheme: SlotSchemeNumber::Redis as u32,
        databases: 0,
        seed: 0,
        manual_clock: std::ptr::null(),
        clock: None,
        clock_data: std::ptr::null_mut(),
        clock_free: None,
        settings: std::ptr::null(),
        settings_count: 0,
    };

    /// Takes over the caller's options. A caller of a later version may know more fields than this
    /// one does; what it sets in them is refused.
    ///
    /// # Safety
    /// `options` is null or leads to a `size` and as many bytes as it says, itself included.
    pub(crate) unsafe fn read(options: *const Self) -> Outcome<Self> {
        if options.is_null() {
            return Ok(Self::DEFAULT);
        }
        // SAFETY: not null, so there is a size.
        let size = unsafe { (&raw const (*options).size).read() };
        let known = size_of::<Self>();
        if size < known {
            return Err(Refusal::argument("size of the options is not set"));
        }
        // SAFETY: `size` bytes are readable, and `known` of them are not beyond that.
        let beyond =
            unsafe { std::slice::from_raw_parts(options.cast::<u8>().add(known), size - known) };
        if beyond.iter().any(|&byte| byte != 0) {
            return Err(Refusal::argument("the options set what this version does not know"));
        }
        // SAFETY: there are enough bytes, of numbers, pointers and functions that may be null.
        Ok(unsafe { options.read() })
    }

    /// What the core makes an engine of. A clock of the host's is freed by the engine only once
    /// `opened` is true.
    ///
    /// # Safety
    /// `manual_clock` is null or a clock that lives; `settings` is null or leads to as many texts as
    /// are said.
    pub(crate) unsafe fn into_core(self, opened: &Arc<AtomicBool>) -> Outcome<EngineOptions> {
        let scheme = self.scheme()?;
        let rest = EngineOptions::default();
        let secret = Some(secret()?);
        let mut options = EngineOptions { seed: self.seed, scheme, secret, ..rest };
        if self.shards != 0 {
            if !self.shards.is_power_of_two() || self.shards > scheme.slots() {
                let text = "shards is not a power of two from 1 to the number of slots";
                return Err(Refusal::fixed(Status::InvalidArgument, text));
            }
            options.shards = self.shards;
        }
        if self.databases != 0 {
            if self.databases > DATABASES_MAX {
                return Err(Refusal::argument("databases is more than 65535"));
            }
            options.databases = self.databases as usize;
        }
        // SAFETY: by the promise above.
        unsafe {
            options.settings = self.settings()?;
            if let Some(clock) = self.clock(opened)? {
                options.clock = clock;
            }
        }
        Ok(options)
    }

    fn scheme(&self) -> Outcome<SlotScheme> {
        match self.scheme {
            number if number == SlotSchemeNumber::Redis as u32 => Ok(SlotScheme::Redis),
            number if number == SlotSchemeNumber::Codis as u32 => Ok(SlotScheme::Codis),
            _ => Err(Refusal::argument("scheme is not known")),
        }
    }

    /// # Safety
    /// `settings` is null or leads to as many texts as are said.
    unsafe fn settings(&self) -> Outcome<Vec<(String, String)>> {
        if self.settings_count != 0 {
            require(self.settings, "settings")?;
        }
        // SAFETY: not null, and within what is promised above.
        let word = |at| unsafe { text(self.settings.add(at).read(), "a setting") };
        let pair = |at| Ok((word(2 * at)?.to_owned(), word(2 * at + 1)?.to_owned()));
        (0..self.settings_count).map(pair).collect()
    }

    /// # Safety
    /// `manual_clock` is null or a clock that lives.
    unsafe fn clock(&self, opened: &Arc<AtomicBool>) -> Outcome<Option<Box<dyn Clock>>> {
        match (self.manual_clock.is_null(), self.clock) {
            (true, None) => Ok(None),
            (true, Some(read)) => {
                let (free, data, opened) = (self.clock_free, self.clock_data, opened.clone());
                Ok(Some(Box::new(HostClock { read, free, data, opened })))
            }
            // SAFETY: not null, so it lives.
            (false, None) => Ok(Some(unsafe { shared(self.manual_clock, "clock") }?.share())),
            (false, Some(_)) => Err(Refusal::argument("the options give two clocks")),
        }
    }
}
/// What generated passwords are made from, which must not follow from a seed that somebody may know.
fn secret() -> Outcome<[u8; 32]> {
    let mut secret = [0; 32];
    let text = "the system has no chance to make secrets from";
    getrandom::fill(&mut secret).map_err(|_| Refusal::fixed(Status::IoErr, text))?;
    Ok(secret)
}
