import type { ReactNode } from 'react';

import { Mark } from '@/components/mark';
import { useTheme } from '@/lib/theme';

/** What surrounds every way to sign in: the name, and what this is not. */
export function SignInPanel({ children }: { children: ReactNode }) {
  useTheme();
  return (
    <main className="sign-in">
      <section className="panel sign-in-panel" aria-labelledby="sign-in-title">
        <Mark size={40} />
        <h1 id="sign-in-title">Consilium</h1>
        <p className="muted">A second opinion that shows its evidence and says how sure it is.</p>
        {children}
        <p className="muted small sign-in-foot">Decision support, not a medical device. The model was trained on synthetic data.</p>
      </section>
    </main>
  );
}
