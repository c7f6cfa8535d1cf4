//! Do constraints leave every declared value possible?
//!
//! Codes that all constraints treat alike are looked at as one. For each such class a row with it
//! is searched for, by fixing one column after the other and striking out, after each, what the
//! constraints then forbid ("maintaining arc consistency", Sabin and Freuder 1994). The row found
//! vouches for a class of every column.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::{Constraint, Rule, ends};
use crate::column::Column;
use crate::schema::SchemaError;

/// How many classes may be looked at in all. It takes about a second.
const MAX_STEPS: u64 = 1 << 28;

pub(super) fn check(columns: &[Column], constraints: &[Constraint]) -> Result<(), SchemaError> {
    let mut steps = MAX_STEPS;
    for component in components(constraints) {
        let all: Vec<&Constraint> = component.iter().map(|&i| &constraints[i]).collect();
        let problem = SatisfactionProblem::new(columns, &all);
        if let Some((variable, code)) = problem.impossible_value(columns, &mut steps)? {
            let culprits = problem.culprits(variable, code, &mut steps)?;
            let column = &columns[problem.variables[variable].column];
            return Err(SchemaError::Contradiction {
                column: column.name().to_owned(),
                value: column.label(code as usize).into_owned(),
                constraints: culprits.into_iter().map(|i| component[i] + 1).collect(),
            });
        }
    }
    Ok(())
}

/// Positions of the constraints that are connected through their columns, one list a component.
fn components(constraints: &[Constraint]) -> Vec<Vec<usize>> {
    // For each column the component it is in, followed from entry to entry.
    let mut of_column: BTreeMap<usize, usize> = BTreeMap::new();
    let mut components: Vec<Vec<usize>> = Vec::new();
    for (i, constraint) in constraints.iter().enumerate() {
        let mut joined = vec![i];
        let mut met: Vec<usize> = constraint
            .columns()
            .iter()
            .filter_map(|column| of_column.get(column).copied())
            .collect();
        met.sort_unstable();
        met.dedup();
        for component in met {
            joined.append(&mut components[component]);
        }
        joined.sort_unstable();
        let new = components.len();
        for &member in &joined {
            for &column in constraints[member].columns() {
                of_column.insert(column, new);
            }
        }
        components.push(joined);
    }
    components.retain(|component| !component.is_empty());
    components
}

/// The question whether some row satisfies all of a few constraints, as a constraint satisfaction
/// problem: variables are columns, whose values are classes of codes that no constraint tells
/// apart.
struct SatisfactionProblem<'a> {
    constraints: Vec<&'a Constraint>,
    /// For each constraint, which variables its columns are.
    places: Vec<Vec<usize>>,
    variables: Vec<Variable>,
}

/// A column in classes of codes.
struct Variable {
    column: usize,
    /// The first code of each class, ascending.
    first_codes: Vec<u32>,
}

/// For each variable and class, whether it is still possible.
type Possible = Vec<Vec<bool>>;

impl<'a> SatisfactionProblem<'a> {
    fn new(columns: &[Column], constraints: &[&'a Constraint]) -> Self {
        let mut used: Vec<usize> = constraints
            .iter()
            .flat_map(|constraint| constraint.columns().iter().copied())
            .collect();
        used.sort_unstable();
        used.dedup();
        let place = |column: &usize| used.binary_search(column).unwrap_or_default();
        Self {
            places: constraints
                .iter()
                .map(|constraint| constraint.columns().iter().map(place).collect())
                .collect(),
            variables: used
                .iter()
                .map(|&column| Variable {
                    column,
                    first_codes: classes(column, columns[column].size(), constraints),
                })
                .collect(),
            constraints: constraints.to_vec(),
        }
    }

    /// A declared value that no row can have. (`other` and empty fields may well be impossible.)
    fn impossible_value(
        &self,
        columns: &[Column],
        steps: &mut u64,
    ) -> Result<Option<(usize, u32)>, SchemaError> {
        let mut vouched: Possible = self.all(false);
        for (i, variable) in self.variables.iter().enumerate() {
            let declared = columns[variable.column].kind().len();
            for (class, &code) in variable.first_codes.iter().enumerate() {
                if vouched[i][class] || code as usize >= declared {
                    continue;
                }
                let everything: Vec<usize> = (0..self.constraints.len()).collect();
                match self.row_with(i, class, &everything, steps)? {
                    Some(row) => row
                        .iter()
                        .zip(&mut vouched)
                        .for_each(|(&class, vouched)| vouched[class] = true),
                    None => return Ok(Some((i, code))),
                }
            }
        }
        Ok(None)
    }

    /// Constraints that together forbid a value, and of which none can be left out.
    fn culprits(
        &self,
        variable: usize,
        code: u32,
        steps: &mut u64,
    ) -> Result<Vec<usize>, SchemaError> {
        let class = self.variables[variable]
            .first_codes
            .partition_point(|&c| c < code);
        let mut active: Vec<usize> = (0..self.constraints.len()).collect();
        for candidate in 0..self.constraints.len() {
            let without: Vec<usize> = active.iter().copied().filter(|&i| i != candidate).collect();
            if self.row_with(variable, class, &without, steps)?.is_none() {
                active = without;
            }
        }
        Ok(active)
    }

    /// A class for every variable, this one among them, which the active constraints allow.
    fn row_with(
        &self,
        variable: usize,
        class: usize,
        active: &[usize],
        steps: &mut u64,
    ) -> Result<Option<Vec<usize>>, SchemaError> {
        let mut possible = self.all(true);
        possible[variable].fill(false);
        possible[variable][class] = true;
        self.solve(possible, active, steps)
    }

    fn solve(
        &self,
        mut possible: Possible,
        active: &[usize],
        steps: &mut u64,
    ) -> Result<Option<Vec<usize>>, SchemaError> {
        self.strike_out(&mut possible, active, steps)?;
        let left = |possible: &[bool]| possible.iter().filter(|possible| **possible).count();
        let open = possible.iter().map(|possible| left(possible)).enumerate();
        match open
            .filter(|(_, left)| *left != 1)
            .min_by_key(|(_, left)| *left)
        {
            None => Ok(Some(
                possible
                    .iter()
                    .map(|possible| {
                        possible
                            .iter()
                            .position(|possible| *possible)
                            .unwrap_or_default()
                    })
                    .collect(),
            )),
            Some((_, 0)) => Ok(None),
            Some((variable, _)) => {
                for class in
                    (0..possible[variable].len()).filter(|&class| possible[variable][class])
                {
                    let mut fixed = possible.clone();
                    fixed[variable].fill(false);
                    fixed[variable][class] = true;
                    if let Some(row) = self.solve(fixed, active, steps)? {
                        return Ok(Some(row));
                    }
                }
                Ok(None)
            }
        }
    }

    /// Strikes out what a single constraint forbids, until none does.
    fn strike_out(
        &self,
        possible: &mut Possible,
        active: &[usize],
        steps: &mut u64,
    ) -> Result<(), SchemaError> {
        loop {
            let mut struck = false;
            for &i in active {
                let places = &self.places[i];
                let work: usize = places.iter().map(|&place| possible[place].len()).sum();
                *steps = steps
                    .checked_sub(work as u64 + 1)
                    .ok_or(SchemaError::TooEntangled)?;
                struck |= match &self.constraints[i].rule {
                    Rule::Impossible(sets) => self.strike_impossible(places, sets, possible),
                    Rule::Determines(images, swapped) => {
                        let (&from, &to) = ends(places, *swapped);
                        self.strike_undetermined(from, to, images, possible)
                    }
                };
            }
            if !struck {
                return Ok(());
            }
        }
    }

    /// Where all columns but one have nothing left outside of their sets, that one must be outside
    /// of its own.
    fn strike_impossible(
        &self,
        places: &[usize],
        sets: &[Vec<bool>],
        possible: &mut Possible,
    ) -> bool {
        let escapes = |place: usize, set: &[bool]| {
            self.possible_codes(place, possible)
                .any(|(_, code)| !set[code as usize])
        };
        let open: Vec<usize> = (0..places.len())
            .filter(|&i| escapes(places[i], &sets[i]))
            .collect();
        let strike: Vec<usize> = match open.as_slice() {
            [] => (0..places.len()).collect(),
            &[only] => vec![only],
            _ => return false,
        };
        let mut struck = false;
        for i in strike {
            let codes = &self.variables[places[i]].first_codes;
            for (possible, &code) in possible[places[i]].iter_mut().zip(codes) {
                struck |= *possible && sets[i][code as usize];
                *possible &= !sets[i][code as usize];
            }
        }
        struck
    }

    fn strike_undetermined(
        &self,
        from: usize,
        to: usize,
        images: &[Option<RangeInclusive<u32>>],
        possible: &mut Possible,
    ) -> bool {
        let to_codes = &self.variables[to].first_codes;
        // For each number of classes of `to`, how many of the first are alive.
        let mut before = vec![0_usize];
        for &possible in &possible[to] {
            before.push(before[before.len() - 1] + usize::from(possible));
        }
        let classes = |image: &RangeInclusive<u32>| {
            to_codes.partition_point(|code| code < image.start())
                ..to_codes.partition_point(|code| code <= image.end())
        };
        let (mut struck, mut free) = (false, false);
        // +1 where an image begins, -1 where it ends.
        let mut reached = vec![0_isize; to_codes.len() + 1];
        for (possible, &code) in possible[from]
            .iter_mut()
            .zip(&self.variables[from].first_codes)
        {
            if !*possible {
                continue;
            }
            let Some(image) = &images[code as usize] else {
                free = true;
                continue;
            };
            let image = classes(image);
            if before[image.start] == before[image.end] {
                *possible = false;
                struck = true;
            } else {
                reached[image.start] += 1;
                reached[image.end] -= 1;
            }
        }
        if free {
            return struck;
        }
        let mut images_here = 0;
        for (possible, change) in possible[to].iter_mut().zip(reached) {
            images_here += change;
            struck |= *possible && images_here == 0;
            *possible &= images_here > 0;
        }
        struck
    }

    fn possible_codes<'b>(
        &'b self,
        place: usize,
        possible: &'b Possible,
    ) -> impl Iterator<Item = (usize, u32)> + 'b {
        let codes = self.variables[place]
            .first_codes
            .iter()
            .copied()
            .enumerate();
        codes.filter(move |(class, _)| possible[place][*class])
    }

    fn all(&self, possible: bool) -> Possible {
        self.variables
            .iter()
            .map(|variable| vec![possible; variable.first_codes.len()])
            .collect()
    }
}

/// The first code of each class of codes that no constraint tells apart.
fn classes(column: usize, size: usize, constraints: &[&Constraint]) -> Vec<u32> {
    let mut kinds: Vec<Vec<u32>> = vec![Vec::new(); size];
    for constraint in constraints {
        let Some(place) = constraint
            .columns()
            .iter()
            .position(|&other| other == column)
        else {
            continue;
        };
        match &constraint.rule {
            Rule::Impossible(sets) => (kinds.iter_mut().zip(&sets[place]))
                .for_each(|(kind, &inside)| kind.push(inside.into())),
            Rule::Determines(images, swapped) => {
                let mut distinct: Vec<&RangeInclusive<u32>> = images.iter().flatten().collect();
                distinct.sort_unstable_by_key(|image| (*image.start(), *image.end()));
                distinct.dedup();
                if place == usize::from(*swapped) {
                    for (kind, image) in kinds.iter_mut().zip(images) {
                        let image = image.as_ref().map(|image| (*image.start(), *image.end()));
                        let (start, end) = image.unwrap_or((u32::MAX, u32::MAX));
                        kind.extend([start, end]);
                    }
                } else {
                    for (number, image) in (0_u32..).zip(distinct) {
                        for code in image.clone() {
                            kinds[code as usize].push(number);
                        }
                    }
                    kinds.iter_mut().for_each(|kind| kind.push(u32::MAX));
                }
            }
        }
    }
    let mut first: BTreeMap<&[u32], u32> = BTreeMap::new();
    for (code, kind) in (0_u32..).zip(&kinds) {
        first.entry(kind).or_insert(code);
    }
    let mut codes: Vec<u32> = first.into_values().collect();
    codes.sort_unstable();
    codes
}
