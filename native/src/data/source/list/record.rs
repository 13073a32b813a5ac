//! Records of comma-separated values.

use csv_core::{ReadRecordResult, ReaderBuilder};

/// The fields between two ends of lines.
pub struct CsvRecord {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// Without quotes, and without spaces around them.
    pub fields: Vec<String>,
}

/// The records of `text`. Blank lines and lines that start with `#` are none.
pub fn records(text: &str, delimiter: u8) -> Vec<CsvRecord> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .build();
    let mut bytes = vec![0; 256];
    let mut ends = vec![0; 16];

    let mut records = Vec::new();
    let mut lines = LineCounter {
        text,
        at: 0,
        line: 1,
    };
    // What is read of the text, and what is written of the record.
    let (mut at, mut written, mut ended) = (0, 0, 0);
    loop {
        let rest = &text.as_bytes()[at..];
        let (result, read, more_bytes, more_ends) =
            reader.read_record(rest, &mut bytes[written..], &mut ends[ended..]);
        at += read;
        written += more_bytes;
        ended += more_ends;

        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull => bytes.resize(2 * bytes.len(), 0),
            ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
            ReadRecordResult::Record => {
                let line = lines.next_record();
                lines.advance(at);
                let fields = fields(&bytes, &ends[..ended]);
                if !fields.iter().all(String::is_empty) {
                    records.push(CsvRecord { line, fields });
                }
                (written, ended) = (0, 0);
            }
            ReadRecordResult::End => return records,
        }
    }
}

fn fields(bytes: &[u8], ends: &[usize]) -> Vec<String> {
    let mut fields = Vec::with_capacity(ends.len());
    let mut start = 0;
    for &end in ends {
        let field = String::from_utf8_lossy(&bytes[start..end]);
        fields.push(field.trim().to_owned());
        start = end;
    }
    fields
}

/// A place in a text, and its line.
struct LineCounter<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl LineCounter<'_> {
    /// The line of the record that begins here or after lines that are skipped.
    fn next_record(&mut self) -> usize {
        while let Some(line) = self.text[self.at..].split_inclusive('\n').next() {
            let is_skipped = line.trim().is_empty() || line.starts_with('#');
            if !is_skipped {
                break;
            }
            self.advance(self.at + line.len());
        }
        self.line
    }

    fn advance(&mut self, to: usize) {
        let from = self.at.min(to);
        let passed = &self.text.as_bytes()[from..to];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.at = self.at.max(to);
    }
}
