"""A folder or table of labelled images -> a checked and split `DataSet`. Never loads torch."""
