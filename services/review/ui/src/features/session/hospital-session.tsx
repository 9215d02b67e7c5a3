import { type ReactNode, useEffect, useMemo, useState, useSyncExternalStore } from 'react';

import { HospitalSignIn } from '@/features/session/components/hospital-sign-in';
import { SignInPanel } from '@/features/session/components/sign-in-panel';
import { HospitalAccount } from '@/features/session/lib/hospital-account';
import type { HospitalServer } from '@/lib/contract';
import { keepTokens } from '@/lib/http';
import { type Session, SessionContext, takeTokenFromUrl } from '@/lib/session';

/** A session of the hospital's OIDC server, renewed for as long as somebody uses this tab. */
export function HospitalSession({ server, children }: { server: HospitalServer; children: ReactNode }) {
  const [account] = useState(() => new HospitalAccount(server));
  const state = useSyncExternalStore(account.subscribe, account.snapshot);

  useEffect(() => {
    void account.start();
    return keepTokens(account);
  }, [account]);

  // A link with a token signs nobody in here, and still must not stay in the address.
  useEffect(() => {
    window.addEventListener('hashchange', takeTokenFromUrl);
    return () => window.removeEventListener('hashchange', takeTokenFromUrl);
  }, []);

  const user = state.phase === 'in' ? state.user : null;
  const session = useMemo<Session | null>(() => user && { user, signOut: () => void account.signOut() }, [user, account]);
  if (session !== null) return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
  if (state.phase === 'out') {
    return (
      <HospitalSignIn
        host={new URL(server.issuer).host}
        notice={state.notice}
        signIn={() => void account.signIn()}
        signOut={() => void account.signOut()}
      />
    );
  }
  return (
    <SignInPanel>
      <p className="sign-in-doing" role="status">
        {state.phase === 'busy' && `${state.doing} …`}
      </p>
    </SignInPanel>
  );
}
