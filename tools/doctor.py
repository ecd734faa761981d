"""Report what is installed and broken: python tools/doctor.py."""

from repflow_mm.commands.doctor import main

if __name__ == '__main__':
    main()
