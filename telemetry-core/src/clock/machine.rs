//! The machine's own monotonic clock, in nanoseconds since some moment before the first reading.
//!
//! On x86-64 that is the time stamp counter, where the CPU says that it runs at one speed and never stops, and
//! the kernel trusts it as its own clock; elsewhere it is `Instant`. The counter's speed is measured once, to
//! about ten millionths: what is off by then, the anchors to the wall clock put right.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Instant;

thread_local! {
    /// What readings of the counter are on this thread until they are let go; 0 for what it says.
    static HELD: Cell<u64> = const { Cell::new(0) };
    /// When the call began that opens the next timed span of this thread; 0 for none.
    static BEGAN: Cell<u64> = const { Cell::new(0) };
}

/// Reads the counter once for all that ends now on this thread: a span and its timer. Until [`let_go`] is called,
/// which whoever calls this sees to. The counter is known to be trusted.
#[inline]
pub(crate) fn hold() {
    HELD.set(read_counter());
}

/// That reading; 0 where there is none.
#[inline]
pub(crate) fn held() -> u64 {
    HELD.get()
}

/// The counter runs again for this thread.
#[inline]
pub(crate) fn let_go() {
    HELD.set(0);
}

/// A span that opens next on this thread began with that reading of the counter, which is trusted; 0 to forget it.
#[inline]
pub(crate) fn announce(began: u64) {
    BEGAN.set(began);
}

/// What was announced.
#[inline]
pub(super) fn announced() -> Option<u64> {
    match BEGAN.get() {
        0 => None,
        #[cfg(target_arch = "x86_64")]
        began => trusted().map(|counter| counter.nanos(began)),
        #[cfg(not(target_arch = "x86_64"))]
        began => Some(began),
    }
}

#[inline]
pub(super) fn nanos() -> u64 {
    #[cfg(target_arch = "x86_64")]
    return trusted().map_or_else(by_instant, |trusted| trusted.nanos(counter()));
    #[cfg(not(target_arch = "x86_64"))]
    counter()
}

/// The counter as it is, for those who know from [`counter_seconds`] that it can be trusted. Other machines than x86-64
/// count the nanoseconds of `Instant`.
#[inline]
pub(crate) fn read_counter() -> u64 {
    #[cfg(target_arch = "x86_64")]
    return counter::read();
    #[cfg(not(target_arch = "x86_64"))]
    by_instant()
}

/// The same, but held where it is.
#[inline]
pub(crate) fn counter() -> u64 {
    match HELD.get() {
        0 => read_counter(),
        held => held,
    }
}

/// How many seconds the counter takes from one number to the next, if it can be trusted.
pub(crate) fn counter_seconds() -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    return trusted().map(|counter| counter.scale as f64 / (1u64 << 32) as f64 / 1e9);
    #[cfg(not(target_arch = "x86_64"))]
    Some(1e-9)
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn trusted() -> Option<&'static counter::Counter> {
    static COUNTER: OnceLock<Option<counter::Counter>> = OnceLock::new();
    COUNTER.get_or_init(counter::Counter::trusted).as_ref()
}

fn by_instant() -> u64 {
    static BASE: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BASE.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use std::time::{Duration, Instant};

    #[derive(Debug)]
    pub(super) struct Counter {
        base: u64,
        /// Nanoseconds a tick, times 2^32.
        pub(super) scale: u64,
    }

    impl Counter {
        pub(super) fn trusted() -> Option<Self> {
            (invariant() && trusted_by_kernel()).then(Self::measured).flatten()
        }

        #[inline]
        pub(super) fn nanos(&self, reading: u64) -> u64 {
            let ticks = reading.saturating_sub(self.base);
            ((u128::from(ticks) * u128::from(self.scale)) >> 32) as u64
        }

        /// Compares the counter with the kernel's clock over a few milliseconds.
        fn measured() -> Option<Self> {
            const LONG_ENOUGH: Duration = Duration::from_millis(5);
            let (base, start) = together();
            while start.elapsed() < LONG_ENOUGH {
                std::hint::spin_loop();
            }
            let (end, now) = together();
            let (ticks, nanos) = (end.checked_sub(base)?, now.duration_since(start).as_nanos());
            let scale = (nanos << 32).checked_div(u128::from(ticks))?;
            Some(Self { base, scale: u64::try_from(scale).ok()? })
        }
    }

    /// A reading of each, with nothing in between: of a few tries the one in which the least time passed.
    fn together() -> (u64, Instant) {
        let tries = (0..8).map(|_| {
            let (before, now, after) = (read(), Instant::now(), read());
            (after.saturating_sub(before), before + after.saturating_sub(before) / 2, now)
        });
        let best = tries.min_by_key(|(passed, ..)| *passed);
        best.map_or_else(|| (read(), Instant::now()), |(_, counter, now)| (counter, now))
    }

    #[inline]
    #[allow(unsafe_code)]
    pub(super) fn read() -> u64 {
        // SAFETY: every x86-64 CPU has this instruction, and it touches no memory.
        unsafe { core::arch::x86_64::_rdtsc() }
    }

    /// The bit "invariant TSC" in the manuals of both makers: leaf `8000_0007h`, `EDX` bit 8.
    fn invariant() -> bool {
        let highest = core::arch::x86_64::__cpuid(0x8000_0000).eax;
        highest >= 0x8000_0007 && core::arch::x86_64::__cpuid(0x8000_0007).edx & (1 << 8) != 0
    }

    /// Linux says which clock it uses; elsewhere nobody vouches.
    fn trusted_by_kernel() -> bool {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        std::fs::read_to_string(path).is_ok_and(|clock| clock.trim() == "tsc")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_runs_as_fast_as_the_kernels_clock_and_never_back() {
        nanos();
        let (start, begin) = (nanos(), Instant::now());
        let mut last = start;
        while begin.elapsed() < Duration::from_millis(50) {
            let now = nanos();
            assert!(now >= last, "{last} then {now}");
            last = now;
        }
        let (ours, theirs) = (nanos() - start, begin.elapsed().as_nanos() as u64);
        // Preempted between the two readings, one of them may be late by any time: only too fast is wrong.
        assert!(ours < theirs + theirs / 1_000 + 10_000_000, "{ours} against {theirs}");
        assert!(ours > theirs - theirs / 1_000 - 10_000_000, "{ours} against {theirs}");
    }
}
