//! Macros inside of functions.

use telemetry_layer::{count, gauge, histogram, record, time};

fn in_the_middle(n: u32) -> Result<u32, std::num::ParseIntError> {
    count!("middle.calls");
    count!("middle.items", u64::from(n), tags(n = n, kind = "a"));
    let _timer = time!("middle", tags(n = n));
    let text = {
        let _timer = time!("middle.text", level = "warn");
        n.to_string()
    };
    if n == 2 {
        gauge!("middle.gauge", 0.5, source = "middle");
    }
    histogram!("middle.histogram", n, tags(n), unit = "By", buckets = [1.0, 2.0]);
    record!("middle.point", n);
    let n = match n {
        3 => "three".parse()?,
        _ => text.parse()?,
    };
    Ok(n)
}

/// Three calls, of which the last returns early.
pub fn call_macros() {
    assert_eq!((in_the_middle(1), in_the_middle(2)), (Ok(1), Ok(2)));
    assert!(in_the_middle(3).is_err());
}
