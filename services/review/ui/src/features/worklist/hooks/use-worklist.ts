import { useState } from 'react';

import { listDiagnoses } from '@/features/worklist/api/list-diagnoses';
import type { DiagnosisPage } from '@/lib/contract';
import { type Resource, useResource } from '@/lib/use-resource';

const PAGE = 50;
const MOST = 200;
const REFRESH_MS = 5000;

/** The work-list, refreshed while it is looked at. */
export function useWorklist(): Resource<DiagnosisPage> & { more: (() => void) | null } {
  const [limit, setLimit] = useState(PAGE);
  const list = useResource(`diagnoses/${limit}`, (signal) => listDiagnoses(limit, signal), REFRESH_MS);
  const hasMore = list.data?.next != null && limit < MOST;
  return { ...list, more: hasMore ? () => setLimit((n) => Math.min(n + PAGE, MOST)) : null };
}
