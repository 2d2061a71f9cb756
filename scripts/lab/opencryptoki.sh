# Gives openCryptoki fresh soft tokens: slots 0 to 2, called qpki0 to qpki2, not initialized (each
# costs every command a tenth of a second, so there are not more). Its configuration and its
# folders have fixed places, so each run has its own by mounts; the slot daemon ends with the run's processes.
set -e
umask 007
conf=/run/opencryptoki.conf
mkdir -p /run/lock
echo "version opencryptoki-3.27" > $conf
for folder in /var/lib/opencryptoki /var/log/opencryptoki; do mount -t tmpfs -o mode=770 tmpfs $folder; done
mkdir -p /run/opencryptoki /run/lock/opencryptoki /var/lib/opencryptoki/HSM_MK_CHANGE
for n in 0 1 2; do
  printf 'slot %s\n{\n  stdll = libpkcs11_sw.so\n  tokname = qpki%s\n  tokversion = 3.12\n}\n' $n $n >> $conf
  mkdir -p /var/lib/opencryptoki/qpki$n/TOK_OBJ /run/lock/opencryptoki/qpki$n
done
mount --bind $conf /etc/opencryptoki/opencryptoki.conf
chmod 644 $conf
chown -R pkcsslotd:pkcs11 /run/opencryptoki
chgrp -R pkcs11 /var/lib/opencryptoki /var/log/opencryptoki /run/lock/opencryptoki
chmod 710 /run/opencryptoki
chmod 755 /run/lock
pkcsslotd
