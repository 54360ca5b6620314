"""Keys and signatures: OpenSSH key files and SSHSIG."""
