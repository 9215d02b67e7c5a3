import { Icon, type IconName } from '@/components/icon';

type Props = { icon: IconName; label: string; onClick: () => void; disabled?: boolean; pressed?: boolean };

export function ViewerButton({ icon, label, onClick, disabled = false, pressed }: Props) {
  return (
    <button type="button" className="tool" aria-label={label} title={label} aria-pressed={pressed} disabled={disabled} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}
