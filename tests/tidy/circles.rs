//! Circles of files: at each level of a crate's tree, a folder is one node, and so is the file that it belongs to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use crate::arrows::Arrow;
use crate::sources::{Crate, Id};

/// The arrows between the nodes of one level.
type Level<'a> = BTreeMap<Id, BTreeMap<Id, &'a Arrow>>;

impl Crate {
    /// Each shortest circle, with a line of the text for each of its arrows.
    pub(crate) fn circles(&self, arrows: &[Arrow]) -> Vec<String> {
        let mut levels: BTreeMap<Id, Level<'_>> = BTreeMap::new();
        for arrow in arrows {
            let (folder, from, to) = self.meeting(arrow);
            levels.entry(folder).or_default().entry(from).or_default().entry(to).or_insert(arrow);
        }
        let mut circles = BTreeMap::new();
        for (folder, level) in &levels {
            for start in level.keys() {
                if let Some(circle) = shortest(level, *start) {
                    let nodes: BTreeSet<_> = circle.iter().copied().collect();
                    circles.entry((*folder, nodes)).or_insert_with(|| self.told(*folder, level, &circle));
                }
            }
        }
        circles.into_values().collect()
    }

    /// The lowest folder that holds both ends of an arrow, and the nodes there that have them.
    fn meeting(&self, arrow: &Arrow) -> (Id, Id, Id) {
        let (from, to) = (self.above(arrow.from), self.above(arrow.to));
        let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        let folder = from[shared - 1];
        let node = |path: &[Id]| path.get(shared).copied().unwrap_or(folder);
        (folder, node(&from), node(&to))
    }

    fn told(&self, folder: Id, level: &Level<'_>, circle: &[Id]) -> String {
        let name = |id: Id| {
            let module = &self.modules[id];
            if id == folder {
                module.path.file_name().unwrap().to_string_lossy().into_owned()
            } else {
                module.name.clone()
            }
        };
        let around = || circle.iter().chain(circle.first());
        let names: Vec<_> = around().map(|id| name(*id)).collect();
        let mut text = format!("a circle in {}: {}", self.modules[folder].path.display(), names.join(" -> "));
        for (from, to) in around().zip(around().skip(1)) {
            let arrow = level[from][to];
            let (at, used) = (&self.modules[arrow.from].path, &self.modules[arrow.to].path);
            let _ = write!(
                text,
                "\n    {}:{} uses {}, which is in {}",
                at.display(),
                arrow.line,
                arrow.path,
                used.display()
            );
        }
        text
    }
}

/// The shortest way from a node to itself.
fn shortest(level: &Level<'_>, start: Id) -> Option<Vec<Id>> {
    let mut came_from = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(at) = next.pop_front() {
        for to in level.get(&at).into_iter().flat_map(BTreeMap::keys) {
            if *to == start {
                let mut circle = vec![at];
                while circle[circle.len() - 1] != start {
                    circle.push(came_from[&circle[circle.len() - 1]]);
                }
                circle.reverse();
                return Some(circle);
            }
            came_from.entry(*to).or_insert_with(|| {
                next.push_back(*to);
                at
            });
        }
    }
    None
}
