import { useEffect, useState } from 'react';

import { followDiagnosis } from '@/features/case/api/follow-diagnosis';
import { getDiagnosis } from '@/features/case/api/get-diagnosis';
import { type Diagnosis, FINAL } from '@/lib/contract';
import { type Resource, useResource } from '@/lib/use-resource';

// The event stream tells of progress at once; polling makes sure of it where a proxy holds the stream back.
const POLL_MS = 5000;

/** A diagnosis, followed until it is final. `stage` is newer than the diagnosis's own. */
export function useDiagnosis(id: string): Resource<Diagnosis> & { stage: string | null } {
  const [settled, setSettled] = useState(false);
  const [stage, setStage] = useState<string | null>(null);
  const diagnosis = useResource(`diagnosis/${id}`, (signal) => getDiagnosis(id, signal), settled ? null : POLL_MS);
  const { data, error, reload } = diagnosis;
  const running = data !== null && !FINAL.includes(data.status);

  useEffect(() => {
    if (error !== null && error.status >= 400 && error.status < 500) setSettled(true);
    else if (data !== null) setSettled(!running);
  }, [data, error, running]);

  useEffect(() => {
    if (!running) return;
    const abort = new AbortController();
    followDiagnosis(id, (event) => setStage(stageOf(event)), abort.signal).then(reload, () => undefined);
    return () => abort.abort();
  }, [id, running, reload]);

  return { ...diagnosis, stage: stage ?? data?.stage ?? null };
}

function stageOf(event: unknown): string | null {
  if (typeof event !== 'object' || event === null || !('stage' in event)) return null;
  return typeof event.stage === 'string' ? event.stage : null;
}
