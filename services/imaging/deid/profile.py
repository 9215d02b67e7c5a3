"""What of a data set may leave for research, by keyword. Whatever is not listed is removed, at every depth.

The Basic Application Level Confidentiality Profile (PS3.15 table E.1-1) with the options Retain Longitudinal Temporal
Information with Modified Dates and Retain Patient Characteristics. It is stricter than these: no free text stays, no
device identity, and of coded strings only the terms below.
"""

from __future__ import annotations

import re

REMAPPED_UIDS = frozenset({
    "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "ReferencedSOPInstanceUID",
    "DimensionOrganizationUID", "IrradiationEventUID", "SynchronizationFrameOfReferenceUID", "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
})  # fmt: skip
STANDARD_UIDS = frozenset({"SOPClassUID", "ReferencedSOPClassUID"})
DATES = frozenset({
    "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime", "FrameAcquisitionDateTime",
    "FrameReferenceDateTime",
})  # fmt: skip
TIMES = frozenset({"StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"})
PSEUDONYMS = frozenset({"PatientID", "PatientName"})
EMPTIED = frozenset({
    "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID", "Manufacturer",
    "PositionReferenceIndicator", "AcquisitionContextSequence", "ScanOptions", "ContrastBolusAgent",
})  # fmt: skip
"""Of type 2 in some image: the attribute must be there, its value need not (PS3.5 section 7.4.3)."""

NUMBERS = frozenset({
    # Patient characteristics.
    "PatientSize", "PatientWeight",
    # Order and place in space.
    "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient",
    "SliceLocation", "SliceThickness", "SpacingBetweenSlices", "ImagesInAcquisition", "TemporalPositionIndex",
    "InStackPositionNumber", "DimensionIndexValues", "DimensionIndexPointer", "FunctionalGroupPointer",
    "StartTrim", "StopTrim", "RecommendedDisplayFrameRate", "CineRate", "FrameIncrementPointer", "FrameTime",
    "InConcatenationNumber", "InConcatenationTotalNumber",
    # How the image was taken.
    "KVP", "ExposureTime", "XRayTubeCurrent", "Exposure", "ExposureInuAs", "ExposureTimeInuS", "XRayTubeCurrentInuA",
    "DistanceSourceToDetector", "DistanceSourceToPatient", "EstimatedRadiographicMagnificationFactor", "FocalSpots",
    "Grid", "BodyPartThickness", "CompressionForce", "ImageAndFluoroscopyAreaDoseProduct", "EntranceDoseInmGy",
    "ExposureIndex", "TargetExposureIndex", "DeviationIndex", "RelativeXRayExposure", "Sensitivity",
    "GantryDetectorTilt", "TableHeight", "DataCollectionDiameter", "ReconstructionDiameter", "CTDIvol",
    "SpiralPitchFactor", "SingleCollimationWidth", "TotalCollimationWidth", "RepetitionTime", "EchoTime",
    "InversionTime", "NumberOfAverages", "ImagingFrequency", "EchoNumbers", "MagneticFieldStrength",
    "NumberOfPhaseEncodingSteps", "EchoTrainLength", "PercentSampling", "PercentPhaseFieldOfView", "PixelBandwidth",
    "FlipAngle", "PositionerPrimaryAngle", "PositionerSecondaryAngle", "FieldOfViewDimensions", "FieldOfViewRotation",
    "FieldOfViewOrigin", "DetectorElementSpacing", "DetectorActiveDimensions", "DetectorBinning",
    # Pixels.
    "SamplesPerPixel", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "PixelSpacing",
    "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope",
    "PixelIntensityRelationshipSign", "LossyImageCompressionRatio", "LUTDescriptor",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
})  # fmt: skip
DATA = frozenset({
    "PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "LUTData", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
})  # fmt: skip
CODES = frozenset(
    {"ViewCodeSequence", "ViewModifierCodeSequence", "AnatomicRegionSequence", "AnatomicRegionModifierSequence"}
)
SEQUENCES = frozenset({
    "ModalityLUTSequence", "VOILUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "FrameVOILUTSequence",
    "PixelValueTransformationSequence", "FrameContentSequence", "FrameAnatomySequence", "DimensionIndexSequence",
    "DimensionOrganizationSequence", "ReferencedImageSequence", "SourceImageSequence",
    "IrradiationEventIdentificationSequence",
})  # fmt: skip

_YES_NO = "YES NO"
_SIDES = "R L U B"
_TERMS = {
    "Modality": "CR DX MG CT MR US NM PT XA RF OT",
    "PatientSex": "M F O",
    "ImageType": "ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER VOLUME MIXED NONE RESAMPLED AVERAGE MPR MIP OTHER",
    "FrameType": "ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER VOLUME MIXED NONE RESAMPLED AVERAGE MPR MIP OTHER",
    "PresentationIntentType": "FOR_PRESENTATION FOR_PROCESSING",
    "PhotometricInterpretation": "MONOCHROME1 MONOCHROME2 PALETTE_COLOR RGB YBR_FULL YBR_FULL_422 YBR_ICT YBR_RCT",
    "BodyPartExamined": "CHEST THORAX ABDOMEN PELVIS HEAD SKULL NECK SPINE CSPINE TSPINE LSPINE SHOULDER CLAVICLE RIB"
    " STERNUM ARM HUMERUS ELBOW FOREARM WRIST HAND FINGER HIP LEG FEMUR KNEE TIBIA ANKLE FOOT TOE BREAST HEART LUNG"
    " EXTREMITY WHOLEBODY BRAIN LIVER KIDNEY",
    "ViewPosition": "AP PA LL RL RLD LLD RLO LLO LATERAL LAT LPO RPO LAO RAO CC ML MLO LM LMO XCC",
    "Laterality": _SIDES,
    "ImageLaterality": _SIDES,
    "FrameLaterality": _SIDES,
    "PatientPosition": "HFS HFP HFDL HFDR FFS FFP FFDL FFDR",
    "BurnedInAnnotation": _YES_NO,
    "RecognizableVisualFeatures": _YES_NO,
    "QualityControlImage": _YES_NO,
    "LossyImageCompression": "00 01",
    "LossyImageCompressionMethod": "ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_15444_15",
    "PixelIntensityRelationship": "LIN LOG DISP OTHER",
    "PresentationLUTShape": "IDENTITY INVERSE",
    "RescaleType": "HU US OD MGML Z_EFF ED HU_MOD PCT",
    "VOILUTFunction": "LINEAR LINEAR_EXACT SIGMOID",
    "ModalityLUTType": "HU US OD",
    "ConversionType": "DV DI DF WSD SD SI DRW SYN",
    "DetectorType": "DIRECT SCINTILLATOR STORAGE FILM",
    "DetectorConfiguration": "AREA SLOT",
    "FieldOfViewShape": "RECTANGLE ROUND HEXAGONAL",
    "FieldOfViewHorizontalFlip": _YES_NO,
    "AnodeTargetMaterial": "TUNGSTEN MOLYBDENUM RHODIUM",
    "PositionerType": "MAMMOGRAPHIC NONE CARM COLUMN",
    "ScanningSequence": "SE IR GR EP RM",
    "SequenceVariant": "SK MTC SS TRSS SP MP OSP NONE",
    "MRAcquisitionType": "2D 3D",
    "PhaseEncodingDirection": "ROW COL ROW COLUMN OTHER",
    "RotationDirection": "CW CC",
    "PixelPresentation": "COLOR MONOCHROME MIXED TRUE_COLOR",
    "VolumetricProperties": "VOLUME SAMPLED DISTORTED MIXED",
    "ContentQualification": "PRODUCT RESEARCH SERVICE",
}
TERMS = {
    keyword: frozenset(
        {*terms.split(), *(term.replace("_", " ") for term in terms.split() if term.startswith(("FOR_", "PALETTE_")))}
    )
    for keyword, terms in _TERMS.items()
}
"""Coded strings, and the values that they may have."""

PATTERNS = {
    "PatientAge": re.compile(r"\d{3}[DWMY]"),
    "PatientOrientation": re.compile(r"[APRLHF]{1,3}"),
    "TimezoneOffsetFromUTC": re.compile(r"[+-]\d{4}"),
    **{keyword: re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?") for keyword in TIMES},
}

METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
"""CID 7050."""
CLEANED_PIXELS = ("113101", "Clean Pixel Data Option")
