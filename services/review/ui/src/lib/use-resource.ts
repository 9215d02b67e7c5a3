import { useCallback, useEffect, useRef, useState } from 'react';

import { Problem } from '@/lib/http';

/** Something fetched: not there yet, there, there but no longer fresh (`error` beside `data`), or failed. */
export type Resource<T> = {
  data: T | null;
  error: Problem | null;
  loading: boolean;
  /** When `data` was last confirmed. */
  updatedAt: Date | null;
  reload: () => void;
};

type State<T> = Omit<Resource<T>, 'reload'>;

/**
 * Fetches when `key` changes, and every `refreshMs` while the tab is visible.
 *
 * A failed refresh keeps the data and says so; after a refusal (403) it asks no more. A null `key` fetches nothing.
 */
export function useResource<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  refreshMs: number | null = null,
): Resource<T> {
  const [state, setState] = useState<State<T>>({ data: null, error: null, loading: key !== null, updatedAt: null });
  const [round, setRound] = useState(0);
  const loader = useRef(load);
  loader.current = load;
  const reload = useCallback(() => setRound((n) => n + 1), []);

  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    loader.current(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ data, error: null, loading: false, updatedAt: new Date() });
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error: asProblem(error), loading: false }));
      },
    );
    return () => abort.abort();
  }, [key, round]);

  const refused = state.error?.status === 403;
  useEffect(() => {
    if (key === null || refreshMs === null || refused) return;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, refreshMs);
    return () => clearInterval(timer);
  }, [key, refreshMs, refused, reload]);

  return { ...state, reload };
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, 'Unexpected answer', 'The page could not read what the service sent.');
}
