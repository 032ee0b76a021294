# SPDX-License-Identifier: Apache-2.0
"""Debian's supervisord, except that it looks after its children ten times a second.

Left alone it does so once a second, and needs two looks to start a program again that has ended:
one to see the end, one to act on it. A service would be away for up to two seconds.
"""

from supervisor import poller, supervisord

LOOK_EVERY_S = 0.1


class PromptPoller(poller.Poller):
    def poll(self, timeout):
        return super().poll(min(timeout, LOOK_EVERY_S))


if __name__ == "__main__":
    poller.Poller = PromptPoller
    supervisord.main()
