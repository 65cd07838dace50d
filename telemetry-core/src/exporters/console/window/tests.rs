use proptest::prelude::*;

use super::*;

const MILLI: u64 = 1_000_000;

fn at(millis: u64) -> Now {
    Now { tick: Tick::from_raw(millis * MILLI), unix_nano: (1_000 + millis) * MILLI }
}

/// Something that happened that many milliseconds after the first moment.
fn push(window: &mut Window<u64>, happened: u64, batch: u64, now: u64) {
    window.push(happened, (1_000 + happened) * MILLI, 100, batch, at(now));
}

fn release(window: &mut Window<u64>, now: u64) -> Vec<(u64, bool)> {
    let next = window.release(at(now).tick, false);
    window.arrived();
    next.into_iter().map(|next| (next.what, next.is_late)).collect()
}

#[test]
fn things_go_out_by_time_when_they_are_old_enough_and_late_ones_at_once() {
    let mut window = Window::default();
    push(&mut window, 20, 1, 25);
    push(&mut window, 10, 2, 30);
    push(&mut window, 40, 2, 41);
    assert_eq!(release(&mut window, 59), []);
    let held = window.held().unwrap();
    assert_eq!((held.first, held.until), (1, at(70).tick), "10 ms later than the first is due");
    assert_eq!(release(&mut window, 70), [(10, false), (20, false)]);
    assert_eq!(window.held().unwrap().first, 2, "all of the first batch is out");
    push(&mut window, 15, 3, 71);
    push(&mut window, 20, 3, 71);
    assert_eq!(release(&mut window, 71), [(15, true), (20, false)], "one as new as the newest is in order");
    assert_eq!(release(&mut window, 200), [(40, false)]);
    assert!(window.held().is_none());
}

#[test]
fn what_is_newer_does_not_overtake_what_is_due_and_what_lies_ahead_is_not_held_for_ever() {
    let mut window = Window::default();
    push(&mut window, 5_000, 1, 0);
    push(&mut window, 30, 1, 30);
    assert_eq!(release(&mut window, 49), []);
    assert_eq!(release(&mut window, 50), [(30, false), (5_000, false)]);
    // Time goes on in the past of what was said: the clock was set back.
    push(&mut window, 60, 2, 60);
    assert_eq!(release(&mut window, 110), [(60, false)]);
}

#[test]
fn beyond_so_many_bytes_the_oldest_go_out_early() {
    let mut window = Window::default();
    for happened in (0..10).rev() {
        window.push(happened, (1_000 + happened) * MILLI, MOST / 5, 1, at(9));
    }
    let next = window.release(at(9).tick, false);
    let out: Vec<u64> = next.iter().map(|next| next.what).collect();
    assert_eq!(out, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(window.held().unwrap().first, 1, "the batch is not out yet");
    let rest = window.release(at(9).tick, true);
    assert_eq!(rest.len(), 2);
    assert!(window.held().is_some(), "it is on its way");
    window.arrived();
    assert!(window.held().is_none());
}

proptest! {
    /// Things happen in order, and come in up to so much later.
    #[test]
    fn all_goes_out_once_and_in_order_but_for_what_is_late(
        delays in prop::collection::vec(0..90_u64, 1..60),
        step in 1..30_u64,
    ) {
        let mut coming: Vec<(u64, u64)> =
            delays.iter().zip(0..).map(|(delay, n)| (n * 3 + delay, n * 3)).collect();
        coming.sort_unstable();
        let (mut window, mut out, mut now, mut batch) = (Window::default(), Vec::new(), 0, 0);
        let mut coming = coming.into_iter().peekable();
        while coming.peek().is_some() || window.held().is_some() {
            now += step;
            batch += 1;
            while let Some((_, happened)) = coming.next_if(|(comes, _)| *comes <= now) {
                push(&mut window, happened, batch, now);
            }
            out.extend(release(&mut window, now).into_iter().map(|(what, late)| (what, late, now)));
        }
        prop_assert_eq!(out.len(), delays.len());
        let mut newest = 0;
        for (happened, is_late, shown) in out {
            prop_assert_eq!(is_late, happened < newest, "{}", happened);
            newest = newest.max(happened);
            let delay = delays[happened as usize / 3];
            // It waits for the next step twice: to come in, and to go out.
            prop_assert!(!is_late || delay + step > 50, "{happened} came {delay} later");
            prop_assert!(shown >= happened + 50, "{happened} at {shown}");
        }
    }
}
