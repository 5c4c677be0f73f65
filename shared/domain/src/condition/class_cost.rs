//! Cost of translating the character classes of an expression.

use std::convert::Infallible;

use regex_syntax::ast::{
    self, Ast, ClassBracketed, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, Flag, GroupKind,
    Span,
};

/// Steps to translate character classes. Some are short but contain a million characters, each of
/// which `(?i)` case-folds.
#[derive(Debug, Default)]
pub(super) struct ClassCost {
    pub(super) steps: usize,
    folds: bool,
    /// Number of open brackets and class operators. Each processes everything inside it.
    depth: usize,
    /// Positions of `[\s\S]` and similar classes: any character, which is cheaper as `.`.
    pub(super) any: Vec<Span>,
}

const ALL_CHARACTERS: usize = 0x11_0000;

// Step costs, measured in an optimized build.
const CLASS_STEPS: usize = 5_000;
const FOLD_STEPS: usize = 3;

impl ClassCost {
    fn add(&mut self, fixed: usize, folded: usize) {
        let folded = if self.folds { folded * FOLD_STEPS } else { 0 };
        self.steps = self
            .steps
            .saturating_add((fixed + folded).saturating_mul(self.depth.max(1)));
    }

    fn perl(&mut self, class: &ClassPerl) {
        // Outside brackets they are not case-folded.
        let folded = match &class.kind {
            _ if self.depth == 0 => 0,
            _ if class.negated => ALL_CHARACTERS,
            // 137,000 characters in long ranges, which fold faster.
            ClassPerlKind::Word => 50_000,
            ClassPerlKind::Digit | ClassPerlKind::Space => 1_000,
        };
        self.add(CLASS_STEPS, folded);
    }

    fn flags(&mut self, flags: &ast::Flags) {
        self.folds |= flags.flag_state(Flag::CaseInsensitive) == Some(true);
    }
}

impl ast::Visitor for ClassCost {
    type Output = Self;
    type Err = Infallible;

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        match ast {
            Ast::Flags(flags) => self.flags(&flags.flags),
            Ast::Group(group) => {
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.flags(flags);
                }
            }
            Ast::ClassPerl(class) => self.perl(class),
            Ast::ClassUnicode(_) => self.add(CLASS_STEPS, ALL_CHARACTERS),
            Ast::ClassBracketed(class) => {
                self.depth += 1;
                if is_any(class) {
                    self.any.push(class.span);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if matches!(ast, Ast::ClassBracketed(_)) {
            self.depth -= 1;
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Infallible> {
        match item {
            // Within such a class, nothing is translated.
            ClassSetItem::Perl(class)
                if self
                    .any
                    .last()
                    .is_some_and(|any| any.end.offset >= class.span.end.offset) => {}
            ClassSetItem::Range(range) => {
                self.add(
                    0,
                    (u32::from(range.end.c) - u32::from(range.start.c)) as usize,
                );
            }
            ClassSetItem::Unicode(_) => self.add(CLASS_STEPS, ALL_CHARACTERS),
            ClassSetItem::Perl(class) => self.perl(class),
            ClassSetItem::Ascii(class) => {
                self.add(0, if class.negated { ALL_CHARACTERS } else { 128 });
            }
            ClassSetItem::Bracketed(class) => {
                if class.negated {
                    self.add(CLASS_STEPS, ALL_CHARACTERS);
                }
                self.depth += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_post(&mut self, item: &ClassSetItem) -> Result<(), Infallible> {
        if matches!(item, ClassSetItem::Bracketed(_)) {
            self.depth -= 1;
        }
        Ok(())
    }

    fn visit_class_set_binary_op_pre(
        &mut self,
        _: &ast::ClassSetBinaryOp,
    ) -> Result<(), Infallible> {
        self.depth += 1;
        Ok(())
    }

    fn visit_class_set_binary_op_post(
        &mut self,
        _: &ast::ClassSetBinaryOp,
    ) -> Result<(), Infallible> {
        self.depth -= 1;
        Ok(())
    }
}

/// Whether the class matches any character, such as `[\s\S]`.
fn is_any(class: &ClassBracketed) -> bool {
    let ClassSet::Item(ClassSetItem::Union(union)) = &class.kind else {
        return false;
    };
    match union.items.as_slice() {
        [ClassSetItem::Perl(one), ClassSetItem::Perl(other)] => {
            !class.negated && one.kind == other.kind && one.negated != other.negated
        }
        _ => false,
    }
}
