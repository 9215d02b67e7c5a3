import type { Diagnosis } from '@/lib/contract';

const PNEUMONIA = { system: 'http://snomed.info/sct', code: '233604007', display: 'Pneumonia' };
const SEPSIS = { system: 'http://snomed.info/sct', code: '91302008', display: 'Sepsis' };

function severity(code: string, display: string) {
  return { system: 'http://snomed.info/sct', code, display };
}

/** A finished diagnosis from all three kinds of evidence, with the parts that a test wants otherwise. */
export function aDiagnosis(otherwise: Partial<Diagnosis> = {}): Diagnosis {
  return {
    id: 'd-1',
    status: 'succeeded',
    patient: 'P-1',
    createdAt: '2026-03-14T09:30:00Z',
    priority: 'routine',
    case: { digest: `sha256:${'5f'.repeat(32)}`, asOf: '2026-03-14T09:30:00Z', patient: 'P-1' },
    model: { bundle: 'acute-chest-demo', version: '0.1.0', digest: `sha256:${'c3'.repeat(32)}` },
    modalities: {
      image: { status: 'used', evidence: ['i-1'], ood: { score: 0.3, flagged: false } },
      note: { status: 'used', evidence: ['n-1'], ood: { score: 0.1, flagged: false } },
      vitals: { status: 'used', evidence: ['v-1'], ood: { score: 0.6, flagged: false } },
    },
    diagnoses: [
      { code: PNEUMONIA, probability: 0.75, interval: [0.6, 0.85] },
      { code: SEPSIS, probability: 0.25, interval: [0.15, 0.4] },
    ],
    predictionSet: { coverage: 0.9, codes: [PNEUMONIA.code], guarantee: 'pattern x class' },
    uncertainty: { total: 0.6, aleatoric: 0.5, epistemic: 0.1 },
    abstained: false,
    reasons: [],
    risks: {
      deterioration24h: { probability: 0.2, interval: [0.1, 0.3] },
      severity: {
        levels: [
          { code: severity('255604002', 'Mild'), probability: 0.5, interval: [0.4, 0.6] },
          { code: severity('6736007', 'Moderate'), probability: 0.3, interval: [0.2, 0.4] },
          { code: severity('24484000', 'Severe'), probability: 0.2, interval: [0.1, 0.3] },
        ],
      },
    },
    explanation: {
      // ln(3) = 1.0986: the log-odds of 0.75.
      modalities: { code: PNEUMONIA.code, scale: 'log-odds', base: -1.0, contributions: { image: 1.5, note: 0.9, vitals: -0.3014 } },
      summary: [{ text: 'The radiograph speaks for it.', evidence: ['i-1'] }],
    },
    audit: { index: 7, leafHash: 'q83v', receipt: '/audit/entries/7/receipt' },
    timings: { queued: 1, fetch: 2, encode: 3, fuse: 4, explain: 5, total: 15 },
    ...otherwise,
  };
}
