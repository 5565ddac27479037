"""The fuzz targets by name: each a function that takes a `Source` and raises where a kernel or a reader is wrong."""

from fuzz import em_targets, file_targets, mask_targets, value_targets

TARGETS = {
    "opening": mask_targets.opening,
    "balls": mask_targets.balls,
    "components": mask_targets.components,
    "selection": mask_targets.selection,
    "packing": mask_targets.packing,
    "histogram": value_targets.histogram,
    "look_up": value_targets.look_up,
    "median": value_targets.median,
    "flood": value_targets.flood,
    "region": value_targets.region,
    "em_counts": em_targets.em_counts,
    "em_rows": em_targets.em_rows,
    "kmeans": em_targets.kmeans,
    "nrrd": file_targets.nrrd,
    "nifti": file_targets.nifti,
    "metaimage": file_targets.metaimage,
}
