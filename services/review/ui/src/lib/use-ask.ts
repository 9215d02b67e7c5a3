import { useRef, useState } from 'react';

import type { Problem } from '@/lib/http';
import { type Priority, requestDiagnosis } from '@/lib/request-diagnosis';
import { caseHref } from '@/lib/routes';
import { asProblem } from '@/lib/use-resource';

export type Ask = {
  busy: boolean;
  problem: Problem | null;
  /** Asks for a diagnosis and opens its page, which follows the progress. */
  ask: (patient: string, priority: Priority, asOf?: string) => Promise<void>;
  /** The question is another one now. */
  renew: () => void;
};

/** One question for a diagnosis, which trying again does not ask twice. */
export function useAsk(): Ask {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // Kept over a failed attempt; renewed when the question changes.
  const key = useRef<string | null>(null);

  async function ask(patient: string, priority: Priority, asOf?: string) {
    setBusy(true);
    setProblem(null);
    key.current ??= crypto.randomUUID();
    try {
      const made = await requestDiagnosis(patient, priority, key.current, asOf);
      window.location.hash = caseHref(made.id);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  function renew() {
    key.current = null;
    setProblem(null);
  }

  return { busy, problem, ask, renew };
}
