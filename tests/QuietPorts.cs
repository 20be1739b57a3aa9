using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace R1Serverless.Tests;

/// <summary>
/// Ports for servers that are told theirs, or come back to it: none that the system gives to clients' connections, of which other tests open hundreds
/// between the choice of a port and its use, and no port twice in this process.
/// </summary>
internal static class QuietPorts
{
    // Below what Linux, Windows and macOS take for clients.
    private const int First = 20_000, Count = 12_000;

    private static int _taken = RandomNumberGenerator.GetInt32(Count);

    public static int Take()
    {
        while (true)
        {
            var port = First + (Interlocked.Increment(ref _taken) % Count);
            try
            {
                using TcpListener probe = new(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody else's.
            }
        }
    }
}
