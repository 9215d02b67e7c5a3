import { MODALITIES, type ModalityExplanation } from '@/lib/contract';

/** One bar of the way from the base to the total, in log-odds. */
export type Step = { key: string; from: number; to: number; kind: 'base' | 'for' | 'against' | 'total' };
export type Waterfall = { steps: Step[]; total: number; low: number; high: number };

export function probabilityOf(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}

export function logOddsOf(probability: number): number {
  return Math.log(probability / (1 - probability));
}

/** Base, then each modality's contribution where the one before left off, then the way from the base to their total. */
export function waterfallOf(explanation: ModalityExplanation): Waterfall {
  const { base, contributions } = explanation;
  const known = MODALITIES.filter((m) => m in contributions);
  const others = Object.keys(contributions).filter((key) => !known.some((m) => m === key));
  const steps: Step[] = [{ key: 'base', from: base, to: base, kind: 'base' }];
  let at = base;
  for (const key of [...known, ...others]) {
    const contribution = contributions[key] ?? 0;
    steps.push({ key, from: at, to: at + contribution, kind: contribution < 0 ? 'against' : 'for' });
    at += contribution;
  }
  steps.push({ key: 'total', from: base, to: at, kind: 'total' });
  const values = steps.map((step) => step.to);
  return { steps, total: at, low: Math.min(...values) - 0.6, high: Math.max(...values) + 0.6 };
}

/** Probabilities worth a tick within [low, high] log-odds. */
export function ticksBetween(low: number, high: number): { probability: number; logOdds: number }[] {
  return [0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999]
    .map((probability) => ({ probability, logOdds: logOddsOf(probability) }))
    .filter(({ logOdds }) => logOdds > low && logOdds < high);
}
