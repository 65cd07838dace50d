//! How a call ends.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use telemetry_layer::{count_me, time_me};

use super::{poll_once, ready};

#[time_me(name = "ends", outcome, active)]
fn ends(text: &str) -> Result<u8, Box<dyn Error>> {
    let n = text.parse::<u8>()?;
    assert!(n > 0, "not zero");
    Ok(n)
}

#[time_me(name = "ends.async", outcome, active)]
async fn ends_later(text: &str) -> Result<u8, Box<dyn Error>> {
    let n = text.parse::<u8>()?;
    if n == 255 {
        std::future::pending::<()>().await;
    }
    assert!(n > 0, "not zero");
    Ok(n)
}

#[count_me(name = "recursion.calls")]
#[time_me(name = "recursion", outcome)]
fn factorial(n: u64) -> u64 {
    if n < 2 { 1 } else { n * factorial(n - 1) }
}

#[time_me(name = "recursion.async", outcome)]
async fn factorial_later(n: u64) -> u64 {
    if n < 2 { 1 } else { n * Box::pin(factorial_later(n - 1)).await }
}

/// Two calls that return, one that returns early, one that panics, one that is cancelled, and recursion of five.
pub fn endings() {
    assert_eq!((ends("1").unwrap(), ends("2").unwrap()), (1, 2));
    assert_eq!((ready(ends_later("1")).unwrap(), ready(ends_later("2")).unwrap()), (1, 2));
    assert!(ends("x").is_err() && ready(ends_later("x")).is_err());
    catch_unwind(|| ends("0").is_ok()).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| ready(ends_later("0")).is_ok())).unwrap_err();
    assert!(poll_once(Box::pin(ends_later("255")).as_mut()).is_none());
    assert_eq!((factorial(5), ready(factorial_later(5))), (120, 120));
}
