import { useEffect, useRef, useState } from 'react';

import { type Listed, listDiagnoses } from '@/features/worklist/api/list-diagnoses';
import { type DiagnosisPage, FINAL } from '@/lib/contract';
import { type Resource, useResource } from '@/lib/use-resource';

const PAGE = 50;
const MOST = 200;
// Each changed list is a read that the audit log keeps, so refreshes are quick only while something is in progress.
const BUSY_MS = 4000;
const QUIET_MS = 20_000;

/** The work-list, refreshed while it is looked at. */
export function useWorklist(): Resource<DiagnosisPage> & { more: (() => void) | null } {
  const [limit, setLimit] = useState(PAGE);
  const [busy, setBusy] = useState(false);
  const every = busy ? BUSY_MS : QUIET_MS;
  const known = useRef<Listed | null>(null);
  const list = useResource(
    `diagnoses/${limit}`,
    async (signal) => {
      known.current = await listDiagnoses(limit, signal, known.current);
      return known.current.page;
    },
    every,
  );
  const { data } = list;
  useEffect(() => setBusy(data?.items.some((item) => !FINAL.includes(item.status)) ?? false), [data]);
  const hasMore = list.data?.next != null && limit < MOST;
  return { ...list, more: hasMore ? () => setLimit((n) => Math.min(n + PAGE, MOST)) : null };
}
