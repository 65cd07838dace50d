//! What there is to know of each scheme: its options are declared here for the parser, which takes no others, and the
//! documentation is made of the same.

/// The endpoints of one exporter.
#[cfg_attr(not(test), expect(dead_code, reason = "most of it is for the documentation"))]
#[derive(Debug)]
pub(super) struct Scheme {
    /// What stands before the colon, or before the `+`.
    pub(super) names: &'static [&'static str],
    /// How its URLs are written, and what is made of them.
    pub(super) urls: &'static [(&'static str, &'static str)],
    /// URLs that options can be added to: each option can to one of them.
    pub(super) examples: &'static [&'static str],
    /// Its own options.
    pub(super) own: &'static [Row],
    /// Those that it has like others.
    pub(super) shared: &'static [&'static Table],
    /// What else there is to say, in Markdown.
    pub(super) text: &'static str,
}

/// Options that several schemes have.
#[cfg_attr(not(test), expect(dead_code, reason = "most of it is for the documentation"))]
#[derive(Debug)]
pub(super) struct Table {
    /// Which ones, in words.
    pub(super) endpoints: &'static str,
    pub(super) rows: &'static [Row],
    /// What else there is to say, in Markdown.
    pub(super) text: &'static str,
}

/// An option.
#[cfg_attr(not(test), expect(dead_code, reason = "most of it is for the documentation"))]
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: &'static str,
    /// The value where nothing is said, in backticks; or words that say what there is then.
    pub(super) default: &'static str,
    /// A value, and what has to be given with it.
    pub(super) example: &'static str,
    /// What it does, in Markdown.
    pub(super) what: &'static str,
}

/// An option with its key, its default, an example and what it does.
pub(super) const fn row(
    key: &'static str,
    default: &'static str,
    example: &'static str,
    what: &'static str,
) -> Row {
    Row { key, default, example, what }
}
