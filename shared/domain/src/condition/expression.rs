//! Regular expressions with bounded cost.
//!
//! Even linear-time matching costs (size of the expression) × (length of the text) in the worst
//! case: `[ab]*a[ab]{3000}c` takes seconds for 64 KiB. Each search therefore spends [`Steps`] on
//! compiling, on each byte, and on each automaton state that it computes. A typical expression
//! takes one step per byte; one with exponentially many states runs out of steps.

use std::sync::OnceLock;

use regex_automata::{
    Input,
    hybrid::dfa::{Builder, Config, DFA},
    nfa::thompson::{self, Compiler, NFA, State, WhichCaptures},
    util::primitives::StateID,
};
use regex_syntax::{
    ast::{parse::Parser, visit},
    hir::translate::Translator,
};

use super::{
    class_cost::ClassCost,
    steps::{Steps, TooCostly},
};

/// Maximum length of an expression, in characters.
const MAX_CHARACTERS: usize = 1_000;
/// Maximum size of one compiled expression, in bytes while it is built. `^\w+@\w+\.\w+$` takes
/// about 100 KiB.
const MAX_BYTES: usize = 128 * 1024;
/// Maximum steps to compile all expressions of one condition: half of an evaluation.
const MAX_COMPILE_STEPS: usize = 1_000_000;
/// Maximum length of the searched text, in bytes.
const MAX_SEARCHED: usize = 64 * 1024;
/// Advice for expressions that are too large.
pub(super) const SMALLER: &str =
    "Use fewer repetitions, `[0-9]` instead of `\\d`, and `[A-Za-z0-9_]` instead of `\\w`.";

// Step costs, measured in an optimized build.
const CHARACTER_STEPS: usize = 100;
const COMPILED_BYTE_STEPS: usize = 6;
const SEARCH_STEPS: usize = 2_000;
const STATE_STEPS: usize = 8;
const VISIT_STEPS: usize = 4;

/// Why an expression can't be saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is not a regular expression.
    #[error(
        "must be a regular expression, such as `^order-[0-9]+$` (without look-around and backreferences)"
    )]
    Malformed,
    /// It would use too much memory.
    #[error("is too large. {SMALLER}")]
    TooLarge,
}

/// A regular expression, compiled on first use. Equal to another one with the same text.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    program: OnceLock<Result<Program, ExpressionError>>,
}

#[derive(Debug, Clone)]
struct Program {
    dfa: DFA,
    /// Steps needed to compile it.
    steps: usize,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Expression {
    /// Creates an expression without validating or compiling it.
    pub(super) fn new(text: String) -> Self {
        Self {
            text,
            program: OnceLock::new(),
        }
    }

    /// The expression's source text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it can be saved: a valid regular expression that is not too large.
    pub(super) fn check(&self) -> Result<(), ExpressionError> {
        self.program().as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Whether it matches anywhere in the first 64 KiB of the text. An expression that does not
    /// compile matches nothing.
    pub(super) fn matches(&self, text: &str, steps: &Steps) -> Result<bool, TooCostly> {
        let text = &text.as_bytes()[..text.floor_char_boundary(MAX_SEARCHED)];
        match self.program() {
            Ok(program) => program.matches(text, steps),
            Err(ExpressionError::TooLarge) => Err(TooCostly),
            Err(ExpressionError::Malformed) => Ok(false),
        }
    }

    /// Memory used by the compiled expression, in bytes; 0 if it is not compiled.
    pub(super) fn compiled_bytes(&self) -> usize {
        self.program
            .get()
            .and_then(|program| program.as_ref().ok())
            .map_or(0, Program::bytes)
    }

    /// Drops the compiled expression. It is compiled again when needed.
    pub(super) fn release(&mut self) {
        self.program.take();
    }

    fn program(&self) -> &Result<Program, ExpressionError> {
        self.program.get_or_init(|| Program::compile(&self.text))
    }
}

/// Whether compiling all of these stays within the limit of one condition.
pub(super) fn fit_together(expressions: &[&Expression]) -> bool {
    let steps = expressions
        .iter()
        .filter_map(|expression| expression.program().as_ref().ok());
    steps.map(|program| program.steps).sum::<usize>() <= MAX_COMPILE_STEPS
}

impl Program {
    fn compile(text: &str) -> Result<Self, ExpressionError> {
        let characters = text.chars().count();
        if characters > MAX_CHARACTERS {
            return Err(ExpressionError::TooLarge);
        }
        let mut ast = Parser::new()
            .parse(text)
            .map_err(|_| ExpressionError::Malformed)?;
        let Ok(ClassCost { steps, any, .. }) = visit(&ast, ClassCost::default());
        let steps = steps + characters * CHARACTER_STEPS;
        if steps > MAX_COMPILE_STEPS {
            return Err(ExpressionError::TooLarge);
        }
        let mut text = text.to_owned();
        if !any.is_empty() {
            for span in any.iter().rev() {
                text.replace_range(span.start.offset..span.end.offset, "(?s:.)");
            }
            ast = Parser::new()
                .parse(&text)
                .map_err(|_| ExpressionError::Malformed)?;
        }
        let hir = Translator::new()
            .translate(&text, &ast)
            .map_err(|_| ExpressionError::Malformed)?;
        let config = thompson::Config::new()
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(MAX_BYTES));
        let nfa = Compiler::new()
            .configure(config)
            .build_from_hir(&hir)
            .map_err(|_| ExpressionError::TooLarge)?;
        let steps = steps + nfa.memory_usage() * COMPILED_BYTE_STEPS;
        let config = Config::new()
            .unicode_word_boundary(true)
            .skip_cache_capacity_check(true)
            .cache_capacity(MAX_BYTES);
        let dfa = Builder::new()
            .configure(config)
            .build_from_nfa(nfa)
            .map_err(|_| ExpressionError::TooLarge)?;
        if steps > MAX_COMPILE_STEPS {
            Err(ExpressionError::TooLarge)
        } else {
            Ok(Self { dfa, steps })
        }
    }

    fn bytes(&self) -> usize {
        self.dfa.get_nfa().memory_usage()
    }

    /// Runs the automaton and computes its states on demand.
    fn matches(&self, text: &[u8], steps: &Steps) -> Result<bool, TooCostly> {
        let Self {
            dfa,
            steps: compiled,
        } = self;
        let state_steps = dfa.get_nfa().states().len() * STATE_STEPS;
        steps.spend(compiled + SEARCH_STEPS + state_steps)?;
        let mut cache = dfa.create_cache();
        let Ok(mut state) = dfa.start_state_forward(&mut cache, &Input::new(text)) else {
            return simulate(dfa.get_nfa(), text, steps);
        };
        for chunk in text.chunks(1024) {
            steps.spend(chunk.len())?;
            for byte in chunk {
                let mut next = dfa.next_state_untagged(&cache, state, *byte);
                if next.is_unknown() {
                    steps.spend(state_steps)?;
                    next = dfa
                        .next_state(&mut cache, state, *byte)
                        .map_err(|_| TooCostly)?;
                }
                if next.is_match() || next.is_dead() {
                    return Ok(next.is_match());
                }
                if next.is_quit() {
                    // Word boundaries next to non-ASCII letters.
                    return simulate(dfa.get_nfa(), text, steps);
                }
                state = next;
            }
        }
        steps.spend(state_steps)?;
        Ok(dfa
            .next_eoi_state(&mut cache, state)
            .map_err(|_| TooCostly)?
            .is_match())
    }
}

/// Follows all paths through the expression in parallel: slower than the automaton, but supports
/// everything.
fn simulate(nfa: &NFA, text: &[u8], steps: &Steps) -> Result<bool, TooCostly> {
    let mut seen = vec![usize::MAX; nfa.states().len()];
    let (mut active, mut ahead) = (vec![nfa.start_unanchored()], Vec::new());
    for at in 0..=text.len() {
        let mut reached: Vec<StateID> = Vec::with_capacity(active.len());
        while let Some(id) = active.pop() {
            if std::mem::replace(&mut seen[id.as_usize()], at) == at {
                continue;
            }
            steps.spend(VISIT_STEPS)?;
            match nfa.state(id) {
                State::Match { .. } => return Ok(true),
                State::Look { look, next } if nfa.look_matcher().matches(*look, text, at) => {
                    active.push(*next);
                }
                State::Capture { next, .. } => active.push(*next),
                State::Union { alternates } => active.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => active.extend([*alt1, *alt2]),
                State::Look { .. } | State::Fail => {}
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => reached.push(id),
            }
        }
        let Some(byte) = text.get(at) else { break };
        ahead.extend(reached.into_iter().filter_map(|id| match nfa.state(id) {
            State::ByteRange { trans } => trans.matches_byte(*byte).then_some(trans.next),
            State::Sparse(sparse) => sparse.matches_byte(*byte),
            State::Dense(dense) => dense.matches_byte(*byte),
            _ => None,
        }));
        std::mem::swap(&mut active, &mut ahead);
    }
    Ok(false)
}
