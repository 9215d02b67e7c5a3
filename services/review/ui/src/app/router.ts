import { useSyncExternalStore } from 'react';

export type Route = { page: 'worklist' } | { page: 'case'; id: string };

/** The page that a URL fragment names; whatever is unknown is the work-list. */
export function parseRoute(hash: string): Route {
  const found = /^#\/case\/([^/]+)$/.exec(hash);
  return found?.[1] ? { page: 'case', id: decodeURIComponent(found[1]) } : { page: 'worklist' };
}

function subscribe(changed: () => void): () => void {
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
}

/** The current page, following the URL fragment. */
export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}
