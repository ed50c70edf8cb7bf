// Evaluates Sigma rules on events: `sigma-evaluator RULES EVENTS`; RULES lists files, one a line, EVENTS has a JSON object a line.
// Prints a JSON line for each rule: {"rule": path, "hits": [numbers of events]} or {"rule": path, "error": text}.
use rsigma_eval::{compile_rule, evaluate_rule, event::JsonEvent};
use rsigma_parser::parse_sigma_yaml;
use std::{env, fs};

fn hits(path: &str, events: &[serde_json::Value]) -> Result<Vec<usize>, String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let collection = parse_sigma_yaml(&text).map_err(|e| e.to_string())?;
    if let Some(error) = collection.errors.first() {
        return Err(error.to_string());
    }
    let rule = collection.rules.first().ok_or("no rule")?;
    let compiled = compile_rule(rule).map_err(|e| e.to_string())?;
    Ok((0..events.len()).filter(|n| evaluate_rule(&compiled, &JsonEvent::borrow(&events[*n])).is_some()).collect())
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let events: Vec<serde_json::Value> =
        fs::read_to_string(&args[2]).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for path in fs::read_to_string(&args[1]).unwrap().lines() {
        let line = match hits(path, &events) {
            Ok(found) => serde_json::json!({"rule": path, "hits": found}),
            Err(error) => serde_json::json!({"rule": path, "error": error}),
        };
        println!("{line}");
    }
}
