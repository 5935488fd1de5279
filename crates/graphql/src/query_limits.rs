//! Holds a query to its limits before it costs anything. A document is measured as text, then with every fragment followed, in time that
//! grows with its length alone. Only then is it validated and run: for fragments within fragments that could take for ever.

use crate::escapes::spelled_out;
use crate::lexer::{is_word, skip_block_string, skip_string, skip_to};
use crate::limits::Limits;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Positioned};
use contract::{Code, Refusal};
use std::collections::HashMap;

/// A document within its limits.
#[derive(Debug)]
pub(crate) struct CheckedQuery {
    pub document: ExecutableDocument,
    /// Whether one of its operations would change something.
    pub mutates: bool,
}

/// Why a document is not run.
#[derive(Debug)]
pub(crate) enum QueryRefused {
    /// It is no GraphQL; the parser says where.
    Syntax(async_graphql::ServerError),
    /// It is over a limit.
    TooMuch(Refusal),
}

impl From<Refusal> for QueryRefused {
    fn from(refusal: Refusal) -> Self {
        Self::TooMuch(refusal)
    }
}

fn too_much(what: &str, most: usize, instead: &str) -> Refusal {
    Refusal::new(Code::InvalidRequest, format!("{what}; at most {most} are taken: {instead}")).about("query")
}

/// Measures and parses a document.
///
/// # Errors
/// See [`QueryRefused`].
pub(crate) fn check(text: &str, limits: &Limits) -> Result<CheckedQuery, QueryRefused> {
    scan(text, limits)?;
    let text = spelled_out(text).map_err(QueryRefused::Syntax)?;
    let document = parse_query(&*text).map_err(|error| QueryRefused::Syntax(error.into()))?;
    let mut measure = Measure { document: &document, known: HashMap::new() };
    let mut mutates = false;
    for (_, operation) in document.operations.iter() {
        mutates |= operation.node.ty == OperationType::Mutation;
        measure.of(&operation.node.selection_set.node, 0)?.within(limits)?;
    }
    // A fragment that is never spread is an error only later; validation would look at it before.
    for fragment in document.fragments.values() {
        measure.of(&fragment.node.selection_set.node, 0)?.within(limits)?;
    }
    Ok(CheckedQuery { document, mutates })
}

/// Counts a text's words and signs, and how deep its brackets go: the parser recurses once for each level.
fn scan(text: &str, limits: &Limits) -> Result<(), Refusal> {
    let (mut tokens, mut depth, mut deepest) = (0_usize, 0_usize, 0_usize);
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'#' => rest = skip_to(rest, |byte| matches!(byte, b'\n' | b'\r')),
            b'"' if rest.starts_with(b"\"\"") => {
                tokens += 1;
                rest = skip_block_string(rest.get(2..).unwrap_or_default());
            }
            b'"' => {
                tokens += 1;
                rest = skip_string(rest);
            }
            b'{' | b'[' | b'(' => {
                tokens += 1;
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' | b')' => {
                tokens += 1;
                depth = depth.saturating_sub(1);
            }
            byte if byte.is_ascii_whitespace() || *byte == b',' => {}
            byte if is_word(*byte) => {
                tokens += 1;
                rest = skip_to(rest, |byte| !is_word(byte));
            }
            _ => tokens += 1,
        }
    }
    if tokens > limits.tokens {
        return Err(too_much(&format!("the query has {tokens} words and signs"), limits.tokens, "ask for less at a time"));
    }
    if deepest > limits.brackets {
        return Err(too_much(&format!("{deepest} brackets stand within one another"), limits.brackets, "nest less"));
    }
    Ok(())
}

/// The size of a set of fields.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    depth: usize,
    fields: usize,
    aliases: usize,
    directives: usize,
    /// How often it asks about the schema, and how many of the schema's lists lie within one another.
    schemas: usize,
    lists: usize,
}

/// `__schema { types { fields { args … } } }`: tools ask for three lists within one another; each further one multiplies the answer.
const SCHEMA_LISTS: usize = 3;
/// How often one document may ask for the schema, or a type of it.
const SCHEMAS: usize = 4;

impl Size {
    fn add(&mut self, other: Size) {
        self.depth = self.depth.max(other.depth);
        self.lists = self.lists.max(other.lists);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.schemas = self.schemas.saturating_add(other.schemas);
    }

    fn within(self, limits: &Limits) -> Result<(), Refusal> {
        let less = "ask for less at a time";
        if self.depth > limits.depth {
            return Err(too_much(&format!("the query is {} fields deep", self.depth), limits.depth, "nest less"));
        }
        if self.fields > limits.fields {
            return Err(too_much(&format!("the query comes to {} fields", self.fields), limits.fields, less));
        }
        if self.aliases > limits.aliases {
            return Err(too_much(&format!("the query has {} aliases", self.aliases), limits.aliases, less));
        }
        if self.directives > limits.directives {
            return Err(too_much(&format!("the query has {} directives", self.directives), limits.directives, less));
        }
        if self.schemas > SCHEMAS {
            return Err(too_much(&format!("the query asks for the schema {} times", self.schemas), SCHEMAS, less));
        }
        if self.schemas > 0 && self.lists > SCHEMA_LISTS {
            let what = format!("{} lists of the schema lie within one another", self.lists);
            return Err(too_much(&what, SCHEMA_LISTS, "nest less"));
        }
        Ok(())
    }
}

/// Measures sets of fields; each fragment once.
struct Measure<'a> {
    document: &'a ExecutableDocument,
    /// None while a fragment is being measured: a fragment that meets itself then is a circle.
    known: HashMap<&'a Name, Option<Size>>,
}

/// Fragments within fragments: far more than anybody writes, and few enough for the stack.
const FRAGMENTS: usize = 64;

impl<'a> Measure<'a> {
    fn of(&mut self, set: &'a SelectionSet, fragments: usize) -> Result<Size, Refusal> {
        let mut size = Size::default();
        for selection in &set.items {
            size.add(self.selection(selection, fragments)?);
        }
        Ok(size)
    }

    fn selection(&mut self, selection: &'a Positioned<Selection>, fragments: usize) -> Result<Size, Refusal> {
        let mut size = match &selection.node {
            Selection::Field(field) => {
                let mut size = self.of(&field.node.selection_set.node, fragments)?;
                size.depth += 1;
                size.fields = size.fields.saturating_add(1);
                size.aliases = size.aliases.saturating_add(usize::from(field.node.alias.is_some()));
                match field.node.name.node.as_str() {
                    "__schema" | "__type" => size.schemas += 1,
                    "types" | "fields" | "args" | "inputFields" | "interfaces" | "possibleTypes" | "enumValues" => size.lists += 1,
                    _ => {}
                }
                size
            }
            Selection::InlineFragment(fragment) => self.of(&fragment.node.selection_set.node, fragments)?,
            Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, fragments)?,
        };
        size.directives = size.directives.saturating_add(selection.node.directives().len());
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Name, fragments: usize) -> Result<Size, Refusal> {
        // A fragment that does not exist is an error later.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Size::default()) };
        match self.known.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let what = format!("the fragment {name} contains itself; a fragment may not");
                return Err(Refusal::invalid("query", what));
            }
            None => {}
        }
        if fragments >= FRAGMENTS {
            return Err(too_much("too many fragments lie within one another", FRAGMENTS, "nest less"));
        }
        self.known.insert(name, None);
        let size = self.of(&fragment.node.selection_set.node, fragments + 1)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn refused(text: &str) -> String {
        match check(text, &Limits::default()) {
            Err(QueryRefused::TooMuch(refusal)) => refusal.detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_too_deep_is_refused_by_its_text_alone() {
        let deep = format!("{{ a{}{} }}", "{a".repeat(20_000), "}".repeat(20_000));
        assert!(refused(&deep).contains("words and signs"));
        let list = format!("{{ a(x: {}{}) }}", "[".repeat(900), "]".repeat(900));
        assert!(refused(&list).contains("within one another"));
        let fields = format!("{{ a{}{} }}", "{a".repeat(20), "}".repeat(20));
        assert!(refused(&fields).contains("21 fields deep"), "{}", refused(&fields));
    }

    #[test]
    fn what_stands_in_texts_and_comments_does_not_count() {
        let brackets = "[".repeat(100);
        let text = format!("{{ a(x: \"{brackets}\\\"{brackets}\", y: \"\"\"{brackets}\\\"\"\"{brackets}\"\"\") # {brackets}\n}}");
        check(&text, &Limits::default()).unwrap();
        assert!(matches!(check("{ a(x: \"", &Limits::default()), Err(QueryRefused::Syntax(_))));
        assert!(matches!(check("", &Limits::default()), Err(QueryRefused::Syntax(_))));
    }

    #[test]
    fn fragments_are_followed_each_time_and_measured_once() {
        let mut text = "{ ...f0 }".to_owned();
        for number in 0..50 {
            write!(text, " fragment f{number} on Query {{ ...f{} ...f{} }}", number + 1, number + 1).unwrap();
        }
        text += " fragment f50 on Query { me { id } }";
        assert!(refused(&text).contains("fields"), "2^51 of them");
        assert!(refused("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }").contains("contains itself"));
        assert!(refused("{ me { id } } fragment a on Query { ...a }").contains("contains itself"), "unused, and all the same");
    }

    #[test]
    fn aliases_and_directives_are_counted() {
        let aliases: String = (0..40).map(|number| format!(" a{number}: me {{ id }}")).collect();
        assert!(refused(&format!("{{{aliases}}}")).contains("40 aliases"));
        assert!(refused(&format!("{{ me {} {{ id }} }}", "@skip(if: false) ".repeat(60))).contains("60 directives"));
    }

    #[test]
    fn the_schema_may_be_asked_for_as_tools_do_and_not_beyond() {
        let nested = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }";
        assert!(refused(nested).contains("4 lists"), "{}", refused(nested));
        let many: String = (0..5).map(|number| format!(" a{number}: __schema {{ types {{ name }} }}")).collect();
        assert!(refused(&format!("{{{many}}}")).contains("5 times"));
        check("{ __schema { types { fields { args { type { name ofType { name } } } } } } }", &Limits::default()).unwrap();
    }
}
