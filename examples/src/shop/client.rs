//! The client: real HTTP requests at a steady rate, and its own count of the answers.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::AnyError;
use crate::chance::random;
use crate::service::Item;

pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) rate: u32,
    pub(crate) time: Duration,
}

/// How many answers came with which status; 0 stands for none.
pub(crate) type Answers = BTreeMap<u16, u64>;

/// More requests than that are not open at once.
const MOST_OPEN: usize = 512;

impl Load {
    /// Sends until the time is over or somebody says stop, and waits for all answers.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>) -> Result<Answers, AnyError> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        let sent = Arc::new(AtomicU64::new(0));
        let mut open: JoinSet<u16> = JoinSet::new();
        let mut answers = Answers::new();
        let (start, end) = (Instant::now(), Instant::now() + self.time);
        let progress = tokio::spawn(show_progress(start, self.time, Arc::clone(&sent)));
        let mut due = interval(Duration::from_secs(1) / self.rate);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                () = sleep_until(end) => break,
                Some(answer) = open.join_next() => *answers.entry(answer?).or_default() += 1,
                _ = due.tick(), if open.len() < MOST_OPEN => {
                    sent.fetch_add(1, Relaxed);
                    open.spawn(request(client.clone(), self.address));
                }
            }
        }
        while let Some(answer) = open.join_next().await {
            *answers.entry(answer?).or_default() += 1;
        }
        progress.abort();
        let _ = progress.await;
        println!();
        Ok(answers)
    }
}

/// One request of one of thirty customers; its status.
async fn request(client: reqwest::Client, address: SocketAddr) -> u16 {
    let customer = 1 + random() % 30;
    let product = 1 + (random() % 12) as u32;
    let base = format!("http://{address}");
    let request = match random() % 100 {
        0..30 => client.get(format!("{base}/products")),
        30..50 => client.get(format!("{base}/products/{product}")),
        // Nobody sells that.
        50..53 => client.get(format!("{base}/products/{}", product + 1000)),
        53..85 => {
            let item = Item { product, items: 1 + (random() % 3) as u32 };
            client.post(format!("{base}/carts/{customer}/items")).json(&item)
        }
        _ => client.post(format!("{base}/carts/{customer}/checkout")),
    };
    let Ok(response) = request.send().await else { return 0 };
    let status = response.status().as_u16();
    if response.bytes().await.is_ok() { status } else { 0 }
}

async fn show_progress(start: Instant, time: Duration, sent: Arc<AtomicU64>) {
    let mut every = interval(Duration::from_secs(1));
    // On a terminal the line is written over and over; elsewhere it comes less often.
    let terminal = std::io::stdout().is_terminal();
    loop {
        every.tick().await;
        let seconds = start.elapsed().as_secs();
        if terminal {
            print!("\r");
        } else if !seconds.is_multiple_of(5) {
            continue;
        }
        print!("{seconds:>4} of {} s, {} requests sent", time.as_secs(), sent.load(Relaxed));
        if !terminal {
            println!();
        }
        let _ = std::io::stdout().flush();
    }
}
