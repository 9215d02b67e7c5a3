import { useEffect, useState } from 'react';

import { listDiagnoses } from '@/features/worklist/api/list-diagnoses';
import { type DiagnosisPage, FINAL } from '@/lib/contract';
import { type Resource, useResource } from '@/lib/use-resource';

const PAGE = 50;
const MOST = 200;
// Each refresh is a read that the audit log keeps, so it is quick only while something is in progress.
const BUSY_MS = 4000;
const QUIET_MS = 20_000;

/** The work-list, refreshed while it is looked at. */
export function useWorklist(): Resource<DiagnosisPage> & { more: (() => void) | null } {
  const [limit, setLimit] = useState(PAGE);
  const [busy, setBusy] = useState(false);
  const every = busy ? BUSY_MS : QUIET_MS;
  const list = useResource(`diagnoses/${limit}`, (signal) => listDiagnoses(limit, signal), every);
  const { data } = list;
  useEffect(() => setBusy(data?.items.some((item) => !FINAL.includes(item.status)) ?? false), [data]);
  const hasMore = list.data?.next != null && limit < MOST;
  return { ...list, more: hasMore ? () => setLimit((n) => Math.min(n + PAGE, MOST)) : null };
}
