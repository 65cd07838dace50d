//! Reads lines of the console, by what its documentation says of them.

/// Keys and their values.
type Pairs = Vec<(String, String)>;

#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    Tags(Pairs),
    Span { name: String, error: Option<String>, fields: Pairs },
    Event { target: String, name: String, message: String, fields: Pairs },
    Metric { name: String, tags: Pairs, value: String, unit: String },
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl Line {
    /// `has_name` says whether the event of a line has a name: it can't be told from the beginning of a message.
    #[track_caller]
    pub(crate) fn read(line: &str, has_name: bool) -> Self {
        let (time, rest) = line.split_at(line.char_indices().nth(24).unwrap().0);
        let is_branch = time.trim_start().starts_with(['+', '-']);
        if !is_branch {
            assert!(time.starts_with("19") || time.starts_with("20"), "{line}");
            assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
        }
        let (level, rest) = rest.split_at(7);
        assert!(["", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level.trim()), "{line}");
        let (kind, rest) = rest.split_at(7);
        let mut rest = Rest(rest);
        let read = match kind.trim_end() {
            "tags" => {
                // Its fields begin in the place of others.
                let fields = format!(" {}", rest.0);
                return Self::Tags(Rest(&fields).fields());
            }
            "span" | "trace" => Self::span(&mut rest, is_branch),
            "event" => Self::event(&mut rest, has_name, is_branch),
            "metric" => Self::metric(&mut rest),
            kind => panic!("{kind:?} in {line}"),
        };
        assert_eq!(rest.0, "", "in {line}");
        read
    }

    fn span(rest: &mut Rest<'_>, is_branch: bool) -> Self {
        rest.branch(is_branch);
        let name = rest.word();
        rest.take(" ");
        let duration = rest.word();
        assert!(duration.ends_with('s'), "{duration}");
        if is_branch {
            let share = rest.take(" ").until(&['%']);
            assert!(share.parse::<f64>().is_ok(), "{share}");
            rest.take("%");
        }
        let error = rest.has(" error (").then(|| {
            let error = rest.quoted().unwrap_or_else(|| rest.until(&[')']));
            rest.take(")");
            error
        });
        let fields = rest.fields();
        rest.ids(is_branch);
        Self::Span { name, error, fields }
    }

    fn event(rest: &mut Rest<'_>, has_name: bool, is_branch: bool) -> Self {
        rest.branch(is_branch);
        let target = rest.quoted().unwrap_or_else(|| rest.target());
        rest.take(":");
        let name = if has_name { rest.take(" ").word() } else { String::new() };
        rest.take(" ");
        let message = rest.quoted().unwrap_or_else(|| rest.plain_message());
        let fields = rest.fields();
        rest.ids(is_branch);
        Self::Event { target, name, message, fields }
    }

    fn metric(rest: &mut Rest<'_>) -> Self {
        let name = rest.word();
        let mut tags = Vec::new();
        if rest.has("{") {
            loop {
                tags.push(rest.pair());
                if !rest.has(",") {
                    break;
                }
            }
            rest.take("}");
        }
        rest.take(" ");
        let value = rest.word();
        let unit = if rest.has(" ") {
            rest.quoted().unwrap_or_else(|| rest.until(&[' ', '=']))
        } else {
            String::new()
        };
        Self::Metric { name, tags, value, unit }
    }
}

impl Rest<'_> {
    #[track_caller]
    fn take(&mut self, text: &str) -> &mut Self {
        assert!(self.has(text), "no {text:?} before {:?}", self.0);
        self
    }

    fn has(&mut self, text: &str) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    #[track_caller]
    fn until(&mut self, ends: &[char]) -> String {
        let (text, rest) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
        assert!(!text.is_empty(), "nothing before {rest:?}");
        self.0 = rest;
        text.to_owned()
    }

    #[track_caller]
    fn word(&mut self) -> String {
        self.quoted().unwrap_or_else(|| {
            let word = self.until(&[' ', '=', ',', '{', '}', '[', ']', '(', ')']);
            assert!(!word.contains(|c: char| c == '"' || c == '\\' || c.is_whitespace()), "{word:?}");
            word
        })
    }

    fn pair(&mut self) -> (String, String) {
        let key = self.word();
        (key, self.take("=").word())
    }

    fn fields(&mut self) -> Pairs {
        let mut fields = Vec::new();
        while self.0.starts_with(' ') && !self.0.starts_with(" [") {
            fields.push(self.take(" ").pair());
        }
        fields
    }

    /// One without quotes, which may have colons of its own.
    fn target(&mut self) -> String {
        let end = self.0.find(' ').unwrap() - 1;
        let (target, rest) = self.0.split_at(end);
        self.0 = rest;
        target.to_owned()
    }

    /// What draws the branch.
    fn branch(&mut self, is_branch: bool) {
        if is_branch {
            while self.has("│  ") || self.has("   ") {}
            assert!(self.has("├─ ") || self.has("└─ "), "{}", self.0);
        }
    }

    /// `[trace span]`, of a span perhaps its parent, and whether it comes late, perhaps with the name of what it is a part of.
    fn ids(&mut self, is_branch: bool) {
        if is_branch {
            return;
        }
        let id = |rest: &mut Self, digits: usize| {
            let id = rest.until(&[' ', ']']);
            assert!(id.len() == digits && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        };
        id(self.take(" ["), 32);
        id(self.take(" "), 16);
        if self.has(" < ") {
            id(self, 16);
        }
        if self.0 != "]" && !self.has(" late") {
            self.take(" ").word();
            self.take(" late");
        }
        self.take("]");
    }

    /// One without quotes: it ends before the first field, or before the ids.
    fn plain_message(&mut self) -> String {
        let mark = self.0.find(['=', '[', '"']).unwrap_or(self.0.len());
        let end = match &self.0[mark..] {
            rest if rest.starts_with('=') => self.0[..mark].rfind(' ').unwrap(),
            // A branch has no ids.
            "" => mark,
            _ => mark - 1,
        };
        let (message, rest) = self.0.split_at(end);
        self.0 = rest;
        message.to_owned()
    }

    /// A text in quotes, with the escapes of Rust.
    fn quoted(&mut self) -> Option<String> {
        let mut rest = self.0.strip_prefix('"')?.chars();
        let mut text = String::new();
        loop {
            match rest.next().expect("a quote at the end") {
                '"' => break,
                '\\' => text.push(match rest.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                    }
                    quote @ ('"' | '\\') => quote,
                    other => panic!("\\{other}"),
                }),
                c => text.push(c),
            }
        }
        self.0 = rest.as_str();
        Some(text)
    }
}
