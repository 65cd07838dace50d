//! Asks for cache lines before they are read or written to.
//!
//! Metrics lie where there was room when they came up; whoever walks ten thousand of them waits for memory more than half of the
//! time, unless it was asked for before. What the dispatcher has read lies in the cache of its core too, and whoever writes there next waits until it is
//! fetched back, unless it was asked for before: a tenth of what a span costs, measured.

use std::sync::OnceLock;

/// Whether this machine can be asked. The bit "`PREFETCHW`" in the manuals of both makers: leaf `8000_0001h`, `ECX` bit 8.
pub(crate) fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    let find = || {
        let highest = core::arch::x86_64::__cpuid(0x8000_0000).eax;
        highest > 0x8000_0000 && core::arch::x86_64::__cpuid(0x8000_0001).ecx & (1 << 8) != 0
    };
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let find = || false;
    *SUPPORTED.get_or_init(find)
}

/// Asks for all lines of that. Nobody waits for them.
#[inline]
pub(crate) fn to_read<T: ?Sized>(what: &T) {
    const LINE: usize = 64;
    for offset in (0..size_of_val(what)).step_by(LINE) {
        line(std::ptr::from_ref(what).cast::<u8>().wrapping_add(offset));
    }
}

/// Asks for the lines of the first bytes of that, of so many as may be in two lines.
#[inline]
pub(crate) fn to_read_first<T>(what: &T, bytes: usize) {
    let first = std::ptr::from_ref(what).cast::<u8>();
    line(first);
    line(first.wrapping_add(bytes - 1));
}

#[inline]
#[allow(unsafe_code)]
fn line(place: *const u8) {
    // SAFETY: a hint that changes no memory and can't fault; every machine of this kind has it.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe {
        core::arch::asm!("prefetcht0 [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}

/// Asks for the line in which that place is. Nobody waits for it. Only where [`is_supported`].
#[inline]
#[allow(unsafe_code)]
pub(crate) fn to_write<T>(place: Option<&T>) {
    let Some(place) = place else { return };
    let place = std::ptr::from_ref(place);
    // SAFETY: a hint that changes no memory and can't fault, which this machine knows.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}
