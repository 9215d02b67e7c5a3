import { createContext, useContext } from 'react';

/** Who the token says is signed in. The services verify the token; this is only for display. */
export type User = { subject: string; role: string; expiresAt: Date | null };

export type Session = {
  user: User | null;
  /** Why the last session ended, in words for the sign-in page. */
  notice: string | null;
  signIn: (token: string) => void;
  signOut: (notice?: string) => void;
};

const KEY = 'consilium.token';

export const SessionContext = createContext<Session | null>(null);

/** The session of this tab. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('useSession needs a SessionProvider');
  return session;
}

/** The bearer token of this tab; it ends with the tab. */
export function storedToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function storeToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, token);
}

/** Takes a token out of `#token=…` and out of the address bar and history, at once. */
export function takeTokenFromUrl(): string | null {
  const found = /^#token=(.+)$/.exec(window.location.hash);
  if (!found?.[1]) return null;
  window.history.replaceState(null, '', `${window.location.pathname}#/`);
  return decodeURIComponent(found[1]);
}

/** What a JWT says of its bearer; null when it is none. */
export function readUser(token: string): User | null {
  const payload = token.split('.')[1];
  if (payload === undefined) return null;
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== 'object' || claims === null) return null;
    const { sub, role, exp } = claims as Record<string, unknown>;
    if (typeof sub !== 'string' || typeof role !== 'string') return null;
    return { subject: sub, role, expiresAt: typeof exp === 'number' ? new Date(exp * 1000) : null };
  } catch {
    return null;
  }
}
