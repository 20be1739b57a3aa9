using System.Runtime.InteropServices;

namespace R1Serverless.Storage.Files;

/// <summary>Tells files from what only has a file's name: opening a pipe waits for whoever writes into it, and a device may never end.</summary>
internal static partial class RegularFile
{
    // Of statx(2), whose result has one layout on all processors: the mode's 16 bits stand behind 28 bytes of other fields.
    private const int CurrentFolder = -100, FollowLinks = 0, ResultBytes = 256, ModeAt = 28;
    private const uint WantedType = 1;
    private const ushort TypeMask = 0xF000, Regular = 0x8000;

    /// <summary>True also where nothing is known of the name: opening it says the rest. Follows links.</summary>
    public static unsafe bool Is(string path)
    {
        if (!OperatingSystem.IsLinux()) return true;
        var found = stackalloc byte[ResultBytes];
        try
        {
            return Stat(CurrentFolder, path, FollowLinks, WantedType, found) != 0 || (*(ushort*)(found + ModeAt) & TypeMask) == Regular;
        }
        catch (EntryPointNotFoundException)
        {
            return true;
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Stat(int folder, string path, int flags, uint mask, byte* result);
}
