"""Write insurer.csv and clinic.csv from the RAND Health Insurance Experiment as statsmodels carries it.

Usage: python derive.py path/to/statsmodels/datasets/randhie/src/randhie.csv
"""
import csv
import sys
from pathlib import Path

HERE = Path(__file__).parent
INSURER = ["id", "site", "coinsurance", "deductible_plan", "income", "age", "sex", "education", "family_size"]
CLINIC = ["id", "visits", "spending", "drug_spending", "admissions", "chronic_disease",
          "physical_limitation", "health", "mental_health", "baseline_exam"]


def whole(text):
    return str(int(float(text)))


def yes_no(flag):
    return "yes" if flag else "no"


def person(row):
    health = next((name for name, column in [("good", "hlthg"), ("fair", "hlthf"), ("poor", "hlthp")]
                   if row[column] == "1"), "excellent")
    return {
        "id": row["zper"],
        "site": row["site"],
        "coinsurance": whole(row["coins"]),
        "deductible_plan": yes_no(row["idp"] == "1"),
        "income": whole(row["income"]),
        "age": whole(row["xage"]),
        "sex": "female" if row["female"] == "1" else "male",
        "education": whole(row["educdec"]) if row["educdec"] else "",
        "family_size": row["num"],
        "visits": row["mdvis"],
        "spending": f'{float(row["meddol"]):.2f}',
        "drug_spending": f'{float(row["drugdol"]):.2f}',
        "admissions": row["totadm"],
        "chronic_disease": f'{float(row["disea"]):.1f}',
        "physical_limitation": yes_no(float(row["physlm"]) >= 0.5),  # fractions are imputed values
        "health": health,
        "mental_health": f'{float(row["mhi"]):.1f}',
        "baseline_exam": yes_no(row["tookphys"] == "1"),
    }


def write(name, columns, people):
    with open(HERE / name, "w", newline="") as out:
        writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(people)


def main():
    first_year = {}
    with open(sys.argv[1], newline="") as source:
        for row in csv.DictReader(source):
            seen = first_year.get(row["zper"])
            if seen is None or int(row["year"]) < int(seen["year"]):
                first_year[row["zper"]] = row
    people = [person(row) for _, row in sorted(first_year.items())]
    write("insurer.csv", INSURER, people)
    write("clinic.csv", CLINIC, reversed(people))  # the two parties need not agree on an order


if __name__ == "__main__":
    main()
