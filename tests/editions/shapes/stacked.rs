//! Beside `#[instrument]`.

use telemetry_layer::{count_me, time_me};

use super::{is_send, ready};

#[tracing::instrument(ret, err)]
#[time_me(name = "stacked", outcome)]
fn instrumented_first(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

#[time_me(name = "stacked", outcome)]
#[tracing::instrument(skip_all)]
fn instrumented_second(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

#[tracing::instrument(skip_all, err)]
#[count_me(name = "stacked.calls")]
#[time_me(name = "stacked", outcome, err)]
async fn instrumented_first_later(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

#[time_me(name = "stacked", outcome, fields(n = n))]
#[count_me(name = "stacked.calls")]
#[tracing::instrument(ret)]
async fn instrumented_second_later(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

/// One success and one error of each.
pub fn stacked() {
    for n in 0..2 {
        let wanted = if n == 0 { Err("zero".to_owned()) } else { Ok(0) };
        assert_eq!((instrumented_first(n), instrumented_second(n)), (wanted.clone(), wanted.clone()));
        assert_eq!(ready(is_send(instrumented_first_later(n))), wanted);
        assert_eq!(ready(is_send(instrumented_second_later(n))), wanted);
    }
}
