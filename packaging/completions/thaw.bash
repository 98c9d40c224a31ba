# Completion of thaw(1) for bash.
_thaw() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-}
	local commands='serve check reload upgrade probe send demo version help'

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
		return
	fi
	case $before in
	-c | --config | --pid-file | --cert | --key | --pkcs12 | --ca | --proxy-ca | --svg | --form)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
		return
		;;
	--pki)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		compopt -o filenames 2>/dev/null
		return
		;;
	--listen | --size | --read-ahead | --give-up | --method | --header | --max-body | --stall | --hold | --limit | --tls | --prime-url | --limit-rate | --pass | --connect-to | --resolve | --sni | --user-agent | --proxy | --proxy-user | --noproxy | --user | --retry | --max-redirs | --timeout | --response-timeout)
		return
		;;
	--prime | --expect)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word")
		return
		;;
	esac
	local options=--help
	case $command in
	serve) options='-c --config --listen --pki --pid-file --help' ;;
	check) options='-c --config --strict --request --certificate --from --header --json --help' ;;
	reload | upgrade) options="-c --config --pid-file --help $(pgrep -x thaw 2>/dev/null)" ;;
	probe) options='--cert --key --pkcs12 --ca --pass --insecure --connect-to --resolve --sni --user-agent --proxy --proxy-user --noproxy --proxy-ca --method --header --max-body --stall --hold --limit --tls --json --markdown --svg --quiet --help' ;;
	send)
		options='--cert --key --pkcs12 --ca --pass --insecure --connect-to --resolve --sni --user-agent --proxy --proxy-user --proxy-ca --noproxy --user --basic --digest --include --method --form --header --prime --prime-url --expect --tls --limit-rate --location --location-trusted --max-redirs --retry --resume --stall --response-timeout --timeout --json --quiet --help'
		if [[ $word != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			compopt -o filenames 2>/dev/null
			return
		fi
		;;
	demo) options='--size --json --frozen-server --listen --read-ahead --give-up --pki --help' ;;
	version) options='--json --help' ;;
	help) options=$commands ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _thaw thaw
