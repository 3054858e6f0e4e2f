"""Names of the files in the folder of a report; imports nothing, so that a panel knows them without any package."""

EVALUATION = "evaluation.json"  # what the evaluation is known by, and what its report was made with
CASES, SUMMARY, DIFFERENCES = "cases.csv", "summary.csv", "differences.csv"
REPORT, MARKDOWN, BOX_PLOTS = "report.html", "report.md", "box_plots.png"
REPORT_FILES = (CASES, SUMMARY, DIFFERENCES, REPORT, MARKDOWN, BOX_PLOTS)
CASES_FOLDER, RESULT = "cases", "result.json"  # a folder for each judged case, and what is known of it there
