//! One line of a report: who beside whom, in what unit, and how many times better.

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// One comparison.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// `scenario.case.peer`, without the case where there is only one.
    pub(crate) id: &'a str,
    pub(crate) metric: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    pub(crate) better: Better,
}

impl Row<'_> {
    /// How many times better ours is: 1 is level.
    fn ratio(&self) -> f64 {
        match self.better {
            Better::Lower => self.theirs / self.ours,
            Better::Higher => self.ours / self.theirs,
        }
    }
}

/// Prints rows as they come.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!(
                "{:<28} {:<34} {:>12} {:>12} {:>8}",
                "id", "metric", "ours", "theirs", "ratio"
            );
        }
        Self { json }
    }

    pub(crate) fn row(&mut self, row: &Row<'_>) {
        let Row { id, metric, unit, ours, theirs, .. } = row;
        let ratio = row.ratio();
        if self.json {
            println!(
                "{{\"id\": \"{id}\", \"metric\": \"{metric}\", \"unit\": \"{unit}\", \
                 \"ours\": {ours:.3}, \"theirs\": {theirs:.3}, \"ratio\": {ratio:.3}}}"
            );
        } else {
            let metric = format!("{metric}, {unit}");
            println!("{id:<28} {metric:<34} {ours:>12.2} {theirs:>12.2} {ratio:>8.2}");
        }
    }
}
