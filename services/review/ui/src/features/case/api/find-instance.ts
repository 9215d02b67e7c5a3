import { request } from '@/lib/http';

/** Where one DICOM instance is, and how large its pixel matrix. */
export type Instance = { renderedPath: string; columns: number | null; rows: number | null };

type Attribute = { vr: string; Value?: (string | number)[] };
type DicomJson = Record<string, Attribute | undefined>;

// Sharp at the zooms that a screen of this page shows, and a fraction of a full radiograph's bytes.
const SIDE = 1536;
const STUDY = '0020000D';
const SERIES = '0020000E';
const ROWS = '00280010';
const COLUMNS = '00280011';

/** Asks QIDO-RS for an instance by its SOP Instance UID; null when there is none. */
export async function findInstance(sop: string, signal: AbortSignal): Promise<Instance | null> {
  const query = new URLSearchParams({ SOPInstanceUID: sop });
  const answer = await request(`/dicomweb/instances?${query.toString()}`, {
    headers: { Accept: 'application/dicom+json' },
    signal,
  });
  // 204 when nothing matches (PS3.18 section 8.3.4.4).
  const found = answer.status === 204 ? [] : ((await answer.json()) as DicomJson[]);
  return found[0] === undefined ? null : toInstance(found[0], sop);
}

/** Reads the DICOM JSON model (PS3.18 annex F). */
export function toInstance(attributes: DicomJson, sop: string): Instance | null {
  const study = attributes[STUDY]?.Value?.[0];
  const series = attributes[SERIES]?.Value?.[0];
  if (typeof study !== 'string' || typeof series !== 'string') return null;
  const path = ['studies', study, 'series', series, 'instances', sop].map(encodeURIComponent).join('/');
  const renderedPath = `/dicomweb/${path}/rendered?viewport=${SIDE},${SIDE}`;
  return { renderedPath, columns: number(attributes[COLUMNS]), rows: number(attributes[ROWS]) };
}

function number(attribute: Attribute | undefined): number | null {
  const value = attribute?.Value?.[0];
  return typeof value === 'number' ? value : null;
}
