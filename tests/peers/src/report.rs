//! Joins result lines of `bench` and `instr` into Markdown tables.

use crate::median;
use serde_json::Value;
use std::fmt::Write;

#[derive(Default)]
struct Row {
    op: String,
    who: String,
    /// per thread count 1 and 2: per file (run), the rounds
    ns: [Vec<Vec<f64>>; 2],
    instr: Option<f64>,
    seen: String,
}

/// What a table's ratios are to.
pub fn base(op: &str) -> &'static str {
    match op {
        o if o.starts_with("span") || o.starts_with("event") => crate::spans::FLOOR,
        o if o.starts_with("counter") => "limit: one AtomicU64",
        o if o.starts_with("hist") => "limit: log2 buckets + sum",
        o if o.starts_with("timed") => "limit: 2 x std Instant",
        _ => crate::encode::PROST,
    }
}

pub fn num(x: f64) -> String {
    if x >= 100.0 {
        format!("{x:.0}")
    } else if x >= 10.0 {
        format!("{x:.1}")
    } else {
        format!("{x:.2}")
    }
}
fn pool(r: &[Vec<f64>]) -> Option<Vec<f64>> {
    let v: Vec<f64> = r.iter().flatten().copied().collect();
    (!v.is_empty()).then_some(v)
}
fn cell(r: &[Vec<f64>]) -> String {
    let Some(v) = pool(r) else { return "–".into() };
    let (lo, hi) = v.iter().fold((f64::MAX, 0f64), |(l, h), x| (l.min(*x), h.max(*x)));
    format!("{} ({}–{})", num(median(v)), num(lo), num(hi))
}

pub fn markdown(files: &[&str]) -> String {
    let mut rows: Vec<Row> = vec![];
    let mut failed = vec![];
    for (f, file) in files.iter().enumerate() {
        for l in std::fs::read_to_string(file).unwrap().lines() {
            let v: Value = serde_json::from_str(l).unwrap();
            if !v["failed"].is_null() {
                failed.push(v.to_string());
                continue;
            }
            let (op, who) = (v["op"].as_str().unwrap(), v["who"].as_str().unwrap());
            let i = rows.iter().position(|r| r.op == op && r.who == who).unwrap_or_else(|| {
                rows.push(Row { op: op.into(), who: who.into(), ..Row::default() });
                rows.len() - 1
            });
            let r = &mut rows[i];
            if let Some(x) = v["instr"].as_f64() {
                r.instr = Some(x);
                continue;
            }
            let t = v["threads"].as_u64().unwrap() as usize - 1;
            r.ns[t].resize(files.len(), vec![]);
            r.ns[t][f].push(v["ns"].as_f64().unwrap());
            if t == 0 {
                r.seen = v["seen"].as_str().unwrap().into();
            }
        }
    }
    let mut o = String::new();
    let mut ops: Vec<String> = vec![];
    for r in &rows {
        if !ops.contains(&r.op) {
            ops.push(r.op.clone());
        }
    }
    for op in ops {
        let rows: Vec<&Row> = rows.iter().filter(|r| r.op == op).collect();
        let two = rows.iter().any(|r| !r.ns[1].is_empty());
        let b = rows.iter().find(|r| r.who == base(&op)).and_then(|r| pool(&r.ns[0])).map(median);
        writeln!(o, "\n### {op}\n\nRatio to: {}.\n", base(&op)).unwrap();
        let two_head = if two { " 2 threads, ns/op each |" } else { "" };
        let two_line = if two { "---|" } else { "" };
        writeln!(o, "| contender | ns/op median (min–max) | ratio | each run |{two_head} instr/op | recorded |")
            .unwrap();
        writeln!(o, "|---|---|---|---|{two_line}---|---|").unwrap();
        for r in rows {
            let m = pool(&r.ns[0]).map(median);
            let ratio = m.zip(b).map_or("–".into(), |(m, b)| num(m / b));
            let each: Vec<String> = r.ns[0].iter().filter(|v| !v.is_empty()).map(|v| num(median(v.clone()))).collect();
            write!(o, "| {} | {} | {} | {} |", r.who, cell(&r.ns[0]), ratio, each.join(" / ")).unwrap();
            if two {
                write!(o, " {} |", cell(&r.ns[1])).unwrap();
            }
            writeln!(o, " {} | {} |", r.instr.map_or("–".into(), num), r.seen).unwrap();
        }
    }
    for f in failed {
        writeln!(o, "\nFAILED: {f}").unwrap();
    }
    o
}
