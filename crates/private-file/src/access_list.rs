//! Whom an access list of Windows names, from its text in Microsoft's Security Descriptor
//! Definition Language.

/// Those who may open every file of a machine anyway (the system and its administrators), and the
/// placeholders for a file's owner.
const NO_OTHERS: [&str; 4] = ["SY", "BA", "OW", "CO"];
/// Groups that have a name a person knows.
const NAMES: [(&str, &str); 4] = [
    ("WD", "Everyone"),
    ("AU", "Authenticated Users"),
    ("BU", "Users"),
    ("BG", "Guests"),
];

/// Those besides `user` whom an access list lets open the file, each once: the names of groups that
/// everybody knows, and the security identifiers of others. Both arguments are as Windows writes
/// them, so that `user` may be one of its abbreviations.
///
/// What is not understood counts as open to everyone, as does a file without a list.
pub(crate) fn others(descriptor: &str, user: &str) -> Vec<String> {
    let everyone = || vec!["Everyone".to_owned()];
    // The flags of the list come before its first entry.
    let Some((_, list)) = descriptor.split_once("D:") else {
        return everyone();
    };
    let (flags, entries) = list.split_at(list.find('(').unwrap_or(list.len()));
    if flags.contains("NO_ACCESS_CONTROL") {
        return everyone();
    }
    let mut others: Vec<String> = Vec::new();
    for entry in bracketed(entries) {
        let fields: Vec<&str> = entry.split(';').collect();
        let &[kind, flags, _, _, _, trustee, ..] = fields.as_slice() else {
            return everyone();
        };
        let denies = kind.ends_with('D');
        // For files to come in a folder, and not for this one.
        let inherited_only = flags.as_bytes().chunks(2).any(|flag| flag == b"IO");
        if denies || inherited_only || trustee == user || NO_OTHERS.contains(&trustee) {
            continue;
        }
        let name = NAMES.iter().find(|(short, _)| *short == trustee);
        let name = name.map_or(trustee, |(_, name)| *name);
        if !others.iter().any(|other| other == name) {
            others.push(name.to_owned());
        }
    }
    others
}

/// What stands in brackets, without what stands between: the condition of an entry has brackets of
/// its own.
fn bracketed(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            ')' if depth == 1 => {
                depth = 0;
                found.push(&text[start..at]);
            }
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    // An entry that does not end is not understood.
    if depth > 0 {
        found.push(&text[start..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::others;

    const ALICE: &str = "S-1-5-21-1004336348-1177238915-682003330-1001";

    fn check(list: &str, expected: &[&str]) {
        let list = list.replace("ALICE", ALICE);
        assert_eq!(others(&list, ALICE), expected, "{list}");
    }

    #[test]
    fn a_list_with_the_user_alone_names_no_others() {
        check("D:P(A;;FA;;;ALICE)", &[]);
        check("D:PAI(A;;FA;;;ALICE)", &[]);
        // In C:\Users\alice.
        check("D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;ALICE)", &[]);
        check("O:BAG:SYD:AI(A;ID;FA;;;BA)(A;ID;FA;;;ALICE)", &[]);
        // Nobody at all.
        check("D:P", &[]);
    }

    #[test]
    fn every_other_is_named_once() {
        // In C:\keys.
        check(
            "D:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)",
            &["Users", "Authenticated Users"],
        );
        check("D:(A;;FR;;;WD)(A;;FX;;;WD)", &["Everyone"]);
        let bob = "S-1-5-21-1004336348-1177238915-682003330-1002";
        check(&format!("D:P(A;;FA;;;ALICE)(A;;FR;;;{bob})"), &[bob]);
        // With a condition.
        check(
            "D:(XA;;FR;;;AU;(@User.Project Any_of {\"a\"}))",
            &["Authenticated Users"],
        );
        check(
            "D:(XA;;FR;;;AU;((@User.Level > 3) && (a==1)))(A;;FR;;;BU)",
            &["Authenticated Users", "Users"],
        );
    }

    #[test]
    fn what_denies_or_is_for_files_to_come_opens_nothing() {
        check("D:P(D;;FA;;;WD)(A;;FA;;;ALICE)", &[]);
        check("D:P(A;OICIIO;FA;;;BU)(A;;FA;;;ALICE)", &[]);
        // `I`, `O` of neighbouring flags are no such flag.
        check("D:P(A;CIOI;FA;;;BU)", &["Users"]);
    }

    #[test]
    fn no_list_and_what_is_not_understood_are_open_to_everyone() {
        for list in ["", "O:BA", "D:NO_ACCESS_CONTROL", "D:(A;;FA)", "D:(A;;F"] {
            check(list, &["Everyone"]);
        }
    }
}
