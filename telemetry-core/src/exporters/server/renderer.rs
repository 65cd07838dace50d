//! Makes what is shown, one page at a time. All that wait for the same one in the same form share it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::bounds::Bounds;
use super::page::{Content, Page};
use crate::thread::quietly;

/// What was made, shared by all who asked for it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) media_type: &'static str,
    pub(super) encoding: Option<&'static str>,
    pub(super) body: Bytes,
}

/// A form of a page.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) page: Arc<dyn Page>,
    pub(super) accept: String,
    pub(super) accept_encoding: String,
}

/// Somebody who waits for it. None is sent where the page panicked.
struct Waiting {
    wanted: Wanted,
    tell: oneshot::Sender<Option<Made>>,
}

pub(super) struct Renderer {
    bounds: Bounds,
    waiting: RefCell<Vec<Waiting>>,
    changed: Notify,
    /// Bytes of bodies that somebody has.
    held: Arc<AtomicUsize>,
}

/// A body that counts as held as long as somebody has it.
struct Held {
    body: Vec<u8>,
    held: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.body.capacity(), Relaxed);
    }
}

impl Wanted {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.page, &other.page)
            && self.accept == other.accept
            && self.accept_encoding == other.accept_encoding
    }

    fn make(&self, held: &Arc<AtomicUsize>) -> Option<Made> {
        let Content { media_type, encoding, body } =
            quietly(|| self.page.answer(&self.accept, &self.accept_encoding))?;
        held.fetch_add(body.capacity(), Relaxed);
        let body = Bytes::from_owner(Held { body, held: Arc::clone(held) });
        Some(Made { media_type, encoding, body })
    }
}

impl Renderer {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, waiting: RefCell::default(), changed: Notify::new(), held: Arc::default() }
    }

    /// Whether those who have bodies have read too little of them.
    pub(super) fn holds_much(&self) -> bool {
        self.held.load(Relaxed) > self.bounds.unread_bytes
    }

    /// What is wanted, as it is at some moment from now on; none where the page panicked.
    pub(super) async fn made(&self, wanted: Wanted) -> Option<Made> {
        let (tell, made) = oneshot::channel();
        self.waiting.borrow_mut().push(Waiting { wanted, tell });
        self.changed.notify_one();
        made.await.ok().flatten()
    }

    /// Makes what is wanted, for ever.
    pub(super) async fn run(self: Rc<Self>) {
        loop {
            // Whoever has come meanwhile is seen first, and shares.
            yield_now().await;
            let Some(wanted) = self.first() else {
                self.changed.notified().await;
                continue;
            };
            let before = Instant::now();
            let made = wanted.make(&self.held);
            for waiting in self.waiting.borrow_mut().extract_if(.., |one| one.wanted.is_same(&wanted)) {
                let _ = waiting.tell.send(made.clone());
            }
            drop(made);
            sleep(before.elapsed().min(self.bounds.rest)).await;
        }
    }

    /// What the first one waits for that has not gone away.
    fn first(&self) -> Option<Wanted> {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|one| !one.tell.is_closed());
        waiting.first().map(|one| one.wanted.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::task::{JoinHandle, LocalSet, spawn_local};

    use super::*;

    #[derive(Default)]
    struct Shows(Mutex<Vec<String>>);

    impl Page for Shows {
        fn title(&self) -> &str {
            ""
        }

        fn answer(&self, accept: &str, accept_encoding: &str) -> Content {
            self.0.lock().unwrap().push(format!("{accept};{accept_encoding}"));
            Content { media_type: "", encoding: None, body: accept.as_bytes().to_vec() }
        }
    }

    fn on_a_runtime(test: impl AsyncFnOnce(Rc<Renderer>)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let renderer = Rc::new(Renderer::new(Bounds::default()));
            test(Rc::clone(&renderer)).await;
        });
    }

    fn asks(renderer: &Rc<Renderer>, page: &Arc<Shows>, accept: &str) -> JoinHandle<Option<Made>> {
        let (renderer, page) = (Rc::clone(renderer), Arc::clone(page));
        let wanted = Wanted { page, accept: accept.to_owned(), accept_encoding: String::new() };
        spawn_local(async move { renderer.made(wanted).await })
    }

    #[test]
    fn those_who_wait_for_the_same_share_it() {
        on_a_runtime(async |renderer| {
            let pages = [(); 2].map(|()| Arc::new(Shows::default()));
            let all: Vec<_> = (0..9).map(|n| asks(&renderer, &pages[n / 6], ["a", "b"][n % 2])).collect();
            spawn_local(Rc::clone(&renderer).run());
            let mut bodies = Vec::new();
            for one in all {
                bodies.push(one.await.unwrap().unwrap().body);
            }
            assert_eq!(bodies[..4], ["a", "b", "a", "b"]);
            assert!(bodies[0].as_ptr() == bodies[2].as_ptr() && bodies[0].as_ptr() != bodies[6].as_ptr());
            assert!(pages.iter().all(|page| *page.0.lock().unwrap() == ["a;", "b;"]));
            let later = asks(&renderer, &pages[0], "a").await.unwrap();
            assert_eq!((later.unwrap().body, pages[0].0.lock().unwrap().len()), (Bytes::from("a"), 3));
        });
    }

    #[test]
    fn for_those_who_went_away_nothing_is_made() {
        on_a_runtime(async |renderer| {
            let page = Arc::new(Shows::default());
            let gone = asks(&renderer, &page, "gone");
            yield_now().await;
            gone.abort();
            assert!(gone.await.is_err());
            spawn_local(Rc::clone(&renderer).run());
            assert!(asks(&renderer, &page, "there").await.unwrap().is_some());
            assert_eq!(*page.0.lock().unwrap(), ["there;"]);
        });
    }

    #[test]
    fn what_is_held_counts_until_the_last_one_lets_go_of_it() {
        on_a_runtime(async |renderer| {
            let renderer = Rc::new(Renderer {
                bounds: Bounds { unread_bytes: 3, ..renderer.bounds },
                ..Renderer::new(renderer.bounds)
            });
            spawn_local(Rc::clone(&renderer).run());
            let page = Arc::new(Shows::default());
            let made = asks(&renderer, &page, "four").await.unwrap().unwrap();
            let other = made.body.slice(1..);
            drop(made);
            assert!(renderer.holds_much());
            drop(other);
            assert!(!renderer.holds_much());
        });
    }
}
