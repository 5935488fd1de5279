//! The place in a document that the tables of a run are written to: between two lines that are comments to its readers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The lines between which a run's tables stand.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    begin: &'static str,
    end: &'static str,
}

/// Of one process on SQLite.
pub const SINGLE: Marks = Marks { begin: "<!-- ledger -->", end: "<!-- /ledger -->" };
/// Of services apart.
pub const CLUSTER: Marks = Marks { begin: "<!-- ledger-cluster -->", end: "<!-- /ledger-cluster -->" };

impl Marks {
    /// The document with this text between the marks.
    fn replaced(self, document: &str, text: &str) -> Option<String> {
        let (before, rest) = document.split_once(self.begin)?;
        let (_, after) = rest.split_once(self.end)?;
        Some(format!("{before}{}\n{text}\n{}{after}", self.begin, self.end))
    }

    /// Whether the tables can be written to this document.
    ///
    /// # Errors
    /// It is not there, or has no marks.
    pub fn look(self, file: &Path) -> Result<()> {
        self.put(file, "").map(drop)
    }

    /// Writes them between the marks.
    ///
    /// # Errors
    /// As [`Marks::look`].
    pub fn write(self, file: &Path, text: &str) -> Result<()> {
        let document = self.put(file, text)?;
        fs::write(file, document).with_context(|| format!("--write {}", file.display()))
    }

    fn put(self, file: &Path, text: &str) -> Result<String> {
        let document = fs::read_to_string(file).with_context(|| format!("--write {}", file.display()))?;
        let Some(document) = self.replaced(&document, text) else {
            bail!("--write {}: put the lines {} and {} where the tables shall stand", file.display(), self.begin, self.end);
        };
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_what_is_around_the_marks() {
        for (marks, other) in [(SINGLE, CLUSTER), (CLUSTER, SINGLE)] {
            let part = |marks: Marks, text: &str| format!("# A\n{}\n{text}\n{}\nrest\n", marks.begin, marks.end);
            let document = part(marks, "old") + &part(other, "old");
            assert_eq!(marks.replaced(&document, "new"), Some(part(marks, "new") + &part(other, "old")));
            assert_eq!(marks.replaced(&part(other, "old"), "new"), None);
        }
    }
}
