//! What the program's attributes and macros will measure, known before the first of them runs.

use tracing_core::Level;

use super::site::{FunctionSite, Site};
use super::table::Table;
use crate::model::Kind;

#[cfg(not(target_os = "linux"))]
pub use by_inventory::{Listed, ListedFunction, inventory};
#[cfg(not(target_os = "linux"))]
use by_inventory::{functions, sites};
#[cfg(target_os = "linux")]
use by_section::{functions, sites};

/// The site of a function of which nothing but its name is said.
#[doc(hidden)]
#[macro_export]
macro_rules! site {
    ($kind:ident, $name:literal) => {
        $crate::function_site!($crate::__private::FunctionSite::$kind(::core::module_path!(), $name)).site()
    };
}

/// One for each way in which a call can end.
#[doc(hidden)]
#[macro_export]
macro_rules! outcome_sites {
    ($kind:ident, $name:literal) => {
        $crate::function_site!(
            $crate::__private::FunctionSite::$kind(::core::module_path!(), $name).by_outcome()
        )
        .outcomes()
    };
}

/// The linker puts the sites of all attributes and macros into one section, and what is known of functions into another,
/// one after the other, and says where these begin and end.
#[cfg(target_os = "linux")]
mod by_section {
    use super::{FunctionSite, Site};

    /// The sites of one attribute or macro, in a static of their own that the catalogue finds.
    #[doc(hidden)]
    #[macro_export]
    macro_rules! sites {
        ($many:literal, $sites:expr) => {{
            #[used]
            #[unsafe(link_section = "telemetry_sites_0")]
            static __TELEMETRY_SITES: [$crate::__private::Site; $many] = $sites;
            &__TELEMETRY_SITES
        }};
    }

    /// What is known of one function, in the same way.
    #[doc(hidden)]
    #[macro_export]
    macro_rules! function_site {
        ($site:expr) => {{
            #[used]
            #[unsafe(link_section = "telemetry_functions_1")]
            static __TELEMETRY_SITE: $crate::__private::FunctionSite = $site;
            &__TELEMETRY_SITE
        }};
    }

    #[allow(unsafe_code)]
    mod section {
        use super::{FunctionSite, Site};

        unsafe extern "Rust" {
            #[link_name = "__start_telemetry_sites_0"]
            pub(super) static START: Site;
            #[link_name = "__stop_telemetry_sites_0"]
            pub(super) static STOP: Site;
            #[link_name = "__start_telemetry_functions_1"]
            pub(super) static FIRST: FunctionSite;
            #[link_name = "__stop_telemetry_functions_1"]
            pub(super) static END: FunctionSite;
        }

        /// So that there is one where nothing is measured.
        #[used]
        #[unsafe(link_section = "telemetry_sites_0")]
        static NONE: [Site; 0] = [];
        #[used]
        #[unsafe(link_section = "telemetry_functions_1")]
        static NO_FUNCTION: [FunctionSite; 0] = [];
    }

    #[allow(unsafe_code)]
    pub(super) fn sites() -> impl Iterator<Item = &'static Site> {
        // SAFETY: nothing but `Site`s is put into that section: the name is that of this layout of theirs.
        unsafe { between(&raw const section::START, &raw const section::STOP) }
    }

    #[allow(unsafe_code)]
    pub(super) fn functions() -> impl Iterator<Item = &'static FunctionSite> {
        // SAFETY: nothing but `FunctionSite`s is put into that one.
        unsafe { between(&raw const section::FIRST, &raw const section::END) }
    }

    /// What stands in a section.
    ///
    /// # Safety
    ///
    /// These are the begin and the end of a section that holds statics of that type and nothing else.
    #[allow(unsafe_code)]
    unsafe fn between<T: 'static>(start: *const T, stop: *const T) -> impl Iterator<Item = &'static T> {
        let many = (stop.addr() - start.addr()) / size_of::<T>();
        // SAFETY: as the caller promises; with sections of a chosen name compilers and linkers leave no room between
        // statics beyond what their type needs: what distributed slices everywhere are built on.
        unsafe { std::slice::from_raw_parts(start, many) }.iter()
    }
}

/// Where other formats of programs have other ways, `inventory` knows them.
#[cfg(not(target_os = "linux"))]
mod by_inventory {
    use super::{FunctionSite, Site};

    /// The sites of one attribute or macro.
    #[derive(Debug)]
    pub struct Listed(pub &'static [Site]);

    pub use inventory;

    inventory::collect!(Listed);

    /// What is known of one function.
    #[derive(Debug)]
    pub struct ListedFunction(pub &'static FunctionSite);

    inventory::collect!(ListedFunction);

    #[doc(hidden)]
    #[macro_export]
    macro_rules! sites {
        ($many:literal, $sites:expr) => {{
            static __TELEMETRY_SITES: [$crate::__private::Site; $many] = $sites;
            $crate::__private::inventory::submit! { $crate::__private::Listed(&__TELEMETRY_SITES) }
            &__TELEMETRY_SITES
        }};
    }

    #[doc(hidden)]
    #[macro_export]
    macro_rules! function_site {
        ($site:expr) => {{
            static __TELEMETRY_SITE: $crate::__private::FunctionSite = $site;
            $crate::__private::inventory::submit! { $crate::__private::ListedFunction(&__TELEMETRY_SITE) }
            &__TELEMETRY_SITE
        }};
    }

    pub(super) fn functions() -> impl Iterator<Item = &'static FunctionSite> {
        inventory::iter::<ListedFunction>.into_iter().map(|listed| listed.0)
    }

    pub(super) fn sites() -> impl Iterator<Item = &'static Site> {
        inventory::iter::<Listed>.into_iter().flat_map(|listed| listed.0)
    }
}

/// A metric that an attribute or a macro of the program feeds, with the tags that are known without running it. A
/// function with `outcome` has one for each.
#[derive(Clone, Copy, Debug)]
pub struct StaticMetric {
    site: &'static Site,
}

impl StaticMetric {
    /// Its name.
    pub fn name(&self) -> &'static str {
        &self.site.name
    }

    /// What it is exported as.
    pub fn kind(&self) -> Kind {
        self.site.kind.kind()
    }

    /// Its unit, in UCUM; empty where none was given.
    pub fn unit(&self) -> &'static str {
        self.site.unit
    }

    /// Its description; empty where none was given.
    pub fn description(&self) -> &'static str {
        self.site.description
    }

    /// Its level, if one was given.
    pub fn level(&self) -> Option<Level> {
        self.site.level
    }

    /// Tags whose values are known without running it.
    pub fn tags(&self) -> Vec<(&'static str, &'static str)> {
        let mut tags = Vec::new();
        self.site.each_tag(|key, value| tags.push((key, value)));
        tags
    }

    /// Whether it has tags beside these, whose values are known only when it is recorded.
    pub fn is_tagged_later(&self) -> bool {
        self.site.is_tagged_later
    }

    /// The source file that feeds it, as the compiler was told to find it.
    pub fn file(&self) -> &'static str {
        self.site.file
    }

    /// The line there.
    pub fn line(&self) -> u32 {
        self.site.line
    }
}

/// Every metric that an attribute or a macro feeds anywhere in the program, also in the crates it is made of, whether it
/// was used already or not: sorted by name, tags and place. On Linux those of
/// the executable or shared object that this crate is linked into, so not those of Rust `dylib`s beside it.
///
/// Handles made from code ([`counter`](crate::counter) and the like) are not among them: nobody knows of one before it is
/// made.
pub fn catalogue() -> Vec<StaticMetric> {
    let all = sites().chain(functions().flat_map(FunctionSite::all));
    let mut all: Vec<StaticMetric> = all.map(|site| StaticMetric { site }).collect();
    all.sort_by_cached_key(|metric| (metric.name(), metric.tags(), metric.file(), metric.line()));
    all
}

/// Whether there is any.
pub(crate) fn is_any() -> bool {
    sites().next().is_some() || functions().next().is_some()
}

impl Table {
    /// Makes the series of all static counters and histograms whose tags are known: they stand at 0 from now on.
    pub(crate) fn begin_static(&self) {
        for metric in catalogue() {
            if !metric.is_tagged_later() && metric.kind() != Kind::Gauge {
                self.begin(metric.site);
            }
        }
    }
}

#[cfg(test)]
#[cfg_attr(target_os = "linux", allow(unsafe_code))]
mod tests {
    use super::super::site::CellKind;
    use super::*;

    #[test]
    fn what_stands_in_the_section_is_listed_as_it_is() {
        let one = &crate::sites!(1, [Site::here(CellKind::Counter, "listed.one", &[("k", "v")])])[0];
        let four = crate::sites!(4, Site::timed("a::b", "f").outcomes());
        let function = crate::function_site!(FunctionSite::counted("a::b", "g"));
        let all = catalogue();
        let found: Vec<_> = all.iter().map(|metric| (metric.name(), metric.tags())).collect();
        let outcomes = ["cancelled", "error", "ok", "panic"];
        let timed = outcomes.map(|outcome| {
            ("function.duration", vec![("code.function.name", "a::b::f"), ("outcome", outcome)])
        });
        let called = ("function.calls", vec![("code.function.name", "a::b::g")]);
        assert_eq!(found, [&[called], &timed[..], &[("listed.one", vec![("k", "v")])]].concat());
        assert!(std::ptr::eq(all[5].site, one) && std::ptr::eq(all[3].site, &raw const four[0]));
        assert!(std::ptr::eq(all[0].site, function.site()));
    }
}
