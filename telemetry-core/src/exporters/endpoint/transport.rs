//! What stands behind the `+` of a scheme.

/// The one of these transports that a scheme names: the first one, where it names none. What each is called, `name` says.
pub(super) fn named<'t, T>(
    scheme: &str,
    transports: &'t [T],
    name: impl Fn(&T) -> &'static str,
) -> Result<&'t T, String> {
    let named = scheme.split_once('+').map_or_else(|| name(&transports[0]), |(_, transport)| transport);
    transports.iter().find(|transport| name(transport) == named).ok_or_else(|| {
        let known: Vec<_> = transports.iter().map(name).collect();
        format!("`{named}` is no transport of it; its transports are {}", known.join(", "))
    })
}
