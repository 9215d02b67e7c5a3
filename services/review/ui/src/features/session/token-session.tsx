import { type ReactNode, useCallback, useEffect, useMemo, useState } from 'react';

import { TokenSignIn } from '@/features/session/components/token-sign-in';
import { keepTokens } from '@/lib/http';
import { readUser, type Session, SessionContext, storedToken, storeToken, takeTokenFromUrl, type User } from '@/lib/session';

const EXPIRED = 'Your session has ended. Sign in again to go on; nothing was lost.';
// setTimeout takes at most 2^31 - 1 ms.
const LONGEST_MS = 2 ** 31 - 1;

function startUser(linked: string | null): User | null {
  if (linked !== null) storeToken(linked);
  const token = storedToken();
  return token === null ? null : readUser(token);
}

/** A session by a token that somebody was given; it ends when the token expires or a service refuses it. */
export function TokenSession({ linked, children }: { linked: string | null; children: ReactNode }) {
  const [user, setUser] = useState<User | null>(() => startUser(linked));
  const [notice, setNotice] = useState<string | null>(null);

  const signOut = useCallback((why?: string) => {
    storeToken(null);
    setUser(null);
    setNotice(why ?? null);
  }, []);

  const signIn = useCallback((token: string) => {
    storeToken(token);
    setUser(readUser(token));
    setNotice(null);
  }, []);

  useEffect(() => keepTokens({ renew: () => Promise.resolve(false), refused: () => signOut(EXPIRED) }), [signOut]);

  useEffect(() => {
    function followLink() {
      const token = takeTokenFromUrl();
      if (token !== null) signIn(token);
    }
    window.addEventListener('hashchange', followLink);
    return () => window.removeEventListener('hashchange', followLink);
  }, [signIn]);

  useEffect(() => {
    if (!user?.expiresAt) return;
    const left = Math.min(user.expiresAt.getTime() - Date.now(), LONGEST_MS);
    const timer = setTimeout(() => signOut(EXPIRED), Math.max(left, 0));
    return () => clearTimeout(timer);
  }, [user, signOut]);

  const session = useMemo<Session | null>(() => user && { user, signOut: () => signOut() }, [user, signOut]);
  if (session === null) return <TokenSignIn notice={notice} signIn={signIn} />;
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}
