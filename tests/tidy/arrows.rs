//! Which file of a crate needs which other: every path is followed, through re-exports, aliases and `*`, to the file
//! that defines what it names.
//!
//! What is not followed: methods of values, but for those called on `self`.

use std::collections::HashSet;

use crate::sources::{Crate, Id, Kind, Mention, Name};

/// One file needs another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    pub from: Id,
    pub to: Id,
    pub line: usize,
    /// As it is written.
    pub path: String,
}

/// What a path leads to.
#[derive(Clone, Debug)]
struct Found {
    /// The module that defines it, or that it is.
    module: Id,
    /// `None` for a module.
    item: Option<String>,
    /// The module only hands on what another crate defines.
    foreign: bool,
    /// The modules that import it on the way there.
    through: Vec<Id>,
    /// What comes behind the item: a method, a variant.
    rest: Option<String>,
}

impl Found {
    fn module(module: Id) -> Self {
        Self { module, item: None, foreign: false, through: Vec::new(), rest: None }
    }

    fn item(module: Id, name: &str, foreign: bool) -> Self {
        Self { item: Some(name.to_owned()), foreign, ..Self::module(module) }
    }

    fn is_module(&self) -> bool {
        self.item.is_none()
    }
}

/// The paths that are being followed: names that lead to each other end there.
type Followed = HashSet<(Id, Vec<String>)>;

impl Crate {
    /// Each arrow once for each line.
    pub(crate) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows: Vec<_> = self.mentions.iter().flat_map(|mention| self.arrows_of(mention)).collect();
        arrows.sort();
        arrows.dedup();
        arrows
    }

    /// The files from the root to this one.
    pub(crate) fn above(&self, file: Id) -> Vec<Id> {
        let mut above = vec![file];
        while let Some(parent) = self.modules[above[above.len() - 1]].parent {
            above.push(self.modules[parent].file);
        }
        above.reverse();
        above
    }

    fn arrows_of(&self, mention: &Mention) -> Vec<Arrow> {
        let from = self.modules[mention.module].file;
        let above = self.above(from);
        let mut files = Vec::new();
        for found in self.resolve(mention.module, &mention.path, &mut Followed::new()) {
            let to = self.modules[found.module].file;
            // What a folder shows of itself.
            if matches!(mention.kind, Kind::Import { visible: true }) && self.above(to).contains(&from) {
                continue;
            }
            let ways = found.through.iter().map(|module| self.modules[*module].file);
            files.extend(ways.filter(|file| !above.contains(file)));
            let handed_down = found.foreign && above.contains(&to);
            if matches!(mention.kind, Kind::Path | Kind::Import { .. }) && !found.is_module() && !handed_down
            {
                files.push(to);
            }
            files.extend(self.method_elsewhere(&found));
        }
        let path = mention.path.join("::");
        let arrow = |to| Arrow { from, to, line: mention.line, path: path.clone() };
        files.into_iter().filter(|to| *to != from).map(arrow).collect()
    }

    /// The file that has a type's own method, where that is not the file of the type.
    fn method_elsewhere(&self, found: &Found) -> Option<Id> {
        let name = found.rest.as_ref()?;
        let same = |of: &Found| of.module == found.module && of.item == found.item;
        let methods = self.methods.iter().filter(|method| method.name == *name);
        let mut of_the_type = methods
            .filter(|method| self.resolve(method.module, &method.of, &mut Followed::new()).iter().any(same));
        of_the_type.next().map(|method| self.modules[method.module].file)
    }

    /// Nothing, where the path leads to another crate.
    fn resolve(&self, module: Id, path: &[String], followed: &mut Followed) -> Vec<Found> {
        let mut at = vec![Found::module(module)];
        for (place, name) in path.iter().enumerate() {
            match name.as_str() {
                "crate" => at = vec![Found::module(0)],
                "self" => {}
                "super" => {
                    let parent = at.iter().filter_map(|found| self.modules[found.module].parent);
                    at = parent.map(Found::module).collect();
                }
                _ => {
                    // Of a module and an item with one name, the module has more below it.
                    let (modules, items): (Vec<_>, Vec<_>) = at.into_iter().partition(Found::is_module);
                    if modules.is_empty() {
                        return items
                            .into_iter()
                            .map(|item| Found { rest: Some(name.clone()), ..item })
                            .collect();
                    }
                    at = Vec::new();
                    for within in modules {
                        let mut below = self.look_up(within.module, name, followed);
                        if below.is_empty() && place > 0 {
                            // A macro makes it, or it is another crate's.
                            let foreign = self.modules[within.module].names.contains_key(name)
                                || !self.modules[within.module].globs.is_empty();
                            below.push(Found::item(within.module, name, foreign));
                        }
                        for found in &mut below {
                            found.through.splice(..0, within.through.iter().copied());
                        }
                        at.extend(below);
                    }
                }
            }
        }
        at
    }

    fn look_up(&self, module: Id, name: &str, followed: &mut Followed) -> Vec<Found> {
        let mut all = Vec::new();
        for what in self.modules[module].names.get(name).into_iter().flatten() {
            match what {
                Name::Item(of) => all.push(Found::item(*of, name, false)),
                Name::Module(id) => all.push(Found::module(*id)),
                Name::Import(path) => all.extend(self.follow(module, path, followed)),
            }
        }
        let step = (module, vec!["*".to_owned(), name.to_owned()]);
        if all.is_empty() && followed.insert(step.clone()) {
            for path in &self.modules[module].globs {
                for within in self.follow(module, path, followed).into_iter().filter(Found::is_module) {
                    let mut found = self.look_up(within.module, name, followed);
                    for found in &mut found {
                        found.through.splice(..0, within.through.iter().copied());
                    }
                    all.extend(found);
                }
            }
            followed.remove(&step);
        }
        all
    }

    /// What an import leads to; the module that has it is on the way.
    fn follow(&self, module: Id, path: &[String], followed: &mut Followed) -> Vec<Found> {
        let step = (module, path.to_vec());
        if !followed.insert(step.clone()) {
            return Vec::new();
        }
        let mut all = self.resolve(module, path, followed);
        followed.remove(&step);
        for found in &mut all {
            found.through.insert(0, module);
        }
        all
    }
}
